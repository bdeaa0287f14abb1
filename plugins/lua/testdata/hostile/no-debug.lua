-- expect: error: attempt to index a nil value with key 'getregistry'
function deliver(m, box)
  debug.getregistry()
end
