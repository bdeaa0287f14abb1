-- expect: instructions
function deliver(m, box)
  return ("b"):rep(1e6):find("[" .. ("a"):rep(1e5) .. "]")
end
