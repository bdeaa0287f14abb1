-- expect: instructions|time
function deliver(m, box)
  local s = ("="):rep(1000000)
  while true do base64.decode(s) end
end
