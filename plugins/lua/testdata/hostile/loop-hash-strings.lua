-- expect: time|instructions
function deliver(m, box)
  local t, key = {}, ("x"):rep(1e6)
  t.x = 1
  while t[key] == nil do end
end
