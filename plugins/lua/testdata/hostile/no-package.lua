-- expect: error: attempt to index a nil value with key 'loadlib'
function deliver(m, box)
  package.loadlib("x", "y")
end
