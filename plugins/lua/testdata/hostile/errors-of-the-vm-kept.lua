-- expect: memory
function deliver(m, box)
  local t, s = {}, ("x"):rep(9e5)
  while true do
    local ok, err = pcall(function() local n; return n[s] end)
    t[#t + 1] = err
  end
end
