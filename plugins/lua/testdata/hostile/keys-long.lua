-- expect: memory
function deliver(m, box)
  local t = {}
  for i = 1, 5e6 do
    local key = ("x"):rep(1e5) .. i
    t[key] = true
    t[key] = nil
  end
end
