-- expect: instructions
function deliver(m, box)
  local s = ("x"):rep(1e6)
  while true do log(s, s, s) end
end
