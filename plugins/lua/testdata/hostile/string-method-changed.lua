-- expect: error: attempt to index
function deliver(m, box)
  local s = ""
  s.x = 1
end
