-- expect: memory
function deliver(m, box)
  local t = {}
  while true do t[#t + 1] = m:text(1e9) .. #t .. ("x"):rep(1e5) end
end
