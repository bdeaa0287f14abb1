-- expect: memory
function deliver(m, box)
  local s = ("x"):rep(1e6)
  return string.format("%s%s%s", s, s, s)
end
