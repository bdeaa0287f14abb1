-- expect: ok
function deliver(m, box)
  assert((""):rep(2^40) == "" and ("x"):rep(-1) == "")
end
