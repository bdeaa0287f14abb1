-- expect: memory
function deliver(m, box)
  local t = {}
  while true do
    local a, b, c
    t[#t + 1] = function() return a, b, c end
  end
end
