-- expect: error: a period is
function deliver(m, box)
  kv.set("a", 1, {ttl = 0/0})
end
