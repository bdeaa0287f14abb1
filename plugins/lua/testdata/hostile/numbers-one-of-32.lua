-- expect: memory|instructions
function deliver(m, box)
  local t, n, x = {}, 0, 0.5
  while true do
    for i = 1, 31 do x = x + 1 end
    n = n + 1
    t[n] = x + 0.25
  end
end
