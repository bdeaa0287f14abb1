-- expect: error: malformed pattern
function deliver(m, box)
  return ("x"):find("[a")
end
