-- expect: memory
function deliver(m, box)
  local t = {}
  t[2000000] = 1
end
