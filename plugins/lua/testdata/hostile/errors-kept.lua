-- expect: memory
function deliver(m, box)
  local t, s = {}, ("x"):rep(9e5)
  while true do
    local ok, err = pcall(error, s)
    t[#t + 1] = err
  end
end
