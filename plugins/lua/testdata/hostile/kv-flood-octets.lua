-- expect: kv
function deliver(m, box)
  for i = 1, 1e6 do kv.set("k" .. i, ("x"):rep(60000)) end
end
