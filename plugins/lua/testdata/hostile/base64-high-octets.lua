-- expect: instructions|time|memory
function deliver(m, box)
  local s = ("\255"):rep(1000000)
  while true do base64.decode(s) end
end
