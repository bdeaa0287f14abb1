-- expect: memory
function deliver(m, box)
  local s = json.encode(("\1"):rep(1000000))
end
