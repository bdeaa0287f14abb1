-- expect: instructions|time
function deliver(m, box)
  local s = ("x"):rep(1000000)
  while true do hash.sha256(s) end
end
