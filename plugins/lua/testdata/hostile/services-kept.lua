-- expect: error: is not a function
function deliver(m, box)
  local g = kv.get kv = nil g("a") nothing()
end
