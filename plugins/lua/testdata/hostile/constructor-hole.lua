-- expect: memory
function deliver(m, box)
  local n = 2000000
  return { [n] = 1 }
end
