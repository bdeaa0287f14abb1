-- expect: error: too many captures
function deliver(m, box)
  return ("x"):rep(100):find(("(x)"):rep(50))
end
