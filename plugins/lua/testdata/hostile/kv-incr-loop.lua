-- expect: kv
function deliver(m, box)
  while true do kv.incr("n", 2^53) end
end
