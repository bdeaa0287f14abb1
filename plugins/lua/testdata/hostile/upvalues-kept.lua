-- expect: memory
function deliver(m, box)
  local t = {}
  for i = 1, 1e6 do
    local s = ("x"):rep(1e6) .. i
    t[i] = function() return s end
  end
end
