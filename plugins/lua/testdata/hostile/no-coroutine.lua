-- expect: error: attempt to index a nil value with key 'wrap'
function deliver(m, box)
  coroutine.wrap(f)
end
