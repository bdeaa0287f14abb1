-- expect: kv
function deliver(m, box)
  for i = 1, 1e6 do kv.incr("n" .. i) end
end
