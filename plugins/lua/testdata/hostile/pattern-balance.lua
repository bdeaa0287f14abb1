-- expect: instructions
function deliver(m, box)
  return ("("):rep(1e6):find("%b()")
end
