-- expect: error: pattern too complex
function deliver(m, box)
  return ("x"):rep(1e5):find(("x?"):rep(1e5))
end
