-- expect: instructions|time
function deliver(m, box)
  local s = ("x"):rep(1000000)
  while true do hmac.sha256(s, s) end
end
