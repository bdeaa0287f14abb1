-- expect: kv
function deliver(m, box)
  local t = {} for i = 1, 5000 do t[i] = i end
  table.sort(t, function(a, b) kv.incr("n") return a < b end)
end
