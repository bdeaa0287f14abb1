-- expect: time|instructions
function deliver(m, box)
  local t = {}
  for i = 1, 400000 do t[i] = true end
  for i = 1, 400000 do t[i] = nil end
  while next(t) == nil do end
end
