-- expect: memory|instructions
function deliver(m, box)
  local t = {}
  for i = 1, 5e6 do t[i] = i + 0.5 end
end
