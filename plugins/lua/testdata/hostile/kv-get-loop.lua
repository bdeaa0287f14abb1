-- expect: kv
function deliver(m, box)
  while true do kv.get("x") end
end
