-- expect: error: string slice too long
function deliver(m, box)
  return ("x"):rep(1e6):byte(1, -1)
end
