-- expect: time
function deliver(m, box)
  local t = {}
  for i = 1, 400000 do t[i] = true end
  for i = 400000, 2, -1 do t[i] = nil end
  while #t < 10 do end
end
