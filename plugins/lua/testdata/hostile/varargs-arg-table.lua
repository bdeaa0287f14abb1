-- expect: instructions
function deliver(m, box)
  local t = {}
  for i = 1, 7000 do t[i] = i end
  local function f(...) end
  while true do f(unpack(t)) end
end
