-- expect: error: is not an address
function deliver(m, box)
  box:redirect("nobody")
end
