-- expect: memory
function deliver(m, box)
  return ("x"):rep(2^33)
end
