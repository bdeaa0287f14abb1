-- expect: error: attempt to
function deliver(m, box)
  shop.nothing()
end
