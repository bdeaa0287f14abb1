-- expect: instructions
function deliver(m, box)
  return ("a"):rep(30000):find(".-.-.-b")
end
