-- expect: error: longer than 65536 octets
function deliver(m, box)
  kv.set("a", ("x"):rep(1000000))
end
