-- expect: memory
function deliver(m, box)
  local t, s = {}, ("x"):rep(1e5)
  for i = 1, 1000 do t[i] = s end
  return table.concat(t)
end
