-- expect: error: with a constant text
function deliver(m, box)
  local f = include
  f("/etc/passwd")
end
