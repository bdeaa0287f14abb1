-- expect: error: a key has 1 to 256 octets
function deliver(m, box)
  kv.set(("k"):rep(1000000), 1)
end
