-- expect: memory
function deliver(m, box)
  local t = {}
  while true do pcall(function() for i = 1, 1e5 do t[#t + 1] = ("x"):rep(1e5) .. i end end) end
end
