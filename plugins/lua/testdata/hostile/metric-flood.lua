-- expect: error: at most 32 metrics
function deliver(m, box)
  for i = 1, 1e6 do metric("m" .. i) end
end
