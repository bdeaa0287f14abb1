-- expect: error: xxxx
function deliver(m, box)
  error(("x"):rep(1e6))
end
