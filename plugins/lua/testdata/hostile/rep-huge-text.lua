-- expect: memory
function deliver(m, box)
  return ("x"):rep(1000):rep(1000):rep(1000)
end
