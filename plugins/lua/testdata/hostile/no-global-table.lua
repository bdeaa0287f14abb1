-- expect: error: attempt to index a nil value with key 'string'
function deliver(m, box)
  _G.string = nil
end
