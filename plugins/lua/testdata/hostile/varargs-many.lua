-- expect: error: registry overflow
function deliver(m, box)
  local t = {}
  for i = 1, 7000 do t[i] = i end
  local function f(...) return select("#", ...) + f(unpack(t)) end
  f()
end
