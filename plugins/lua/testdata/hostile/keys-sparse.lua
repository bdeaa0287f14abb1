-- expect: memory
function deliver(m, box)
  local t = {}
  for i = 1, 5e6 do t[i * 3000017] = i end
end
