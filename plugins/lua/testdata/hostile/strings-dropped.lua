-- expect: ok
function deliver(m, box)
  local s
  for i = 1, 100 do s = ("x"):rep(1e6) .. i end
  assert(#s == 1000003)
end
