-- expect: ok
function deliver(m, box)
  assert(("abc"):upper() == "ABC" and ("x").encode == nil and ("x").kv == nil)
end
