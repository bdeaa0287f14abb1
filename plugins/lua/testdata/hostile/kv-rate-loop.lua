-- expect: kv
function deliver(m, box)
  for i = 1, 1e6 do rate("r" .. i, 1, "31 days") end
end
