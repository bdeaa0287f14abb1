-- expect: kv
function deliver(m, box)
  while true do pcall(kv.set, "k", ("x"):rep(60000)) end
end
