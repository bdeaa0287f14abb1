-- expect: time|instructions
function deliver(m, box)
  local s = ("1"):rep(1e6)
  while true do pcall(function() return s + 1 end) end
end
