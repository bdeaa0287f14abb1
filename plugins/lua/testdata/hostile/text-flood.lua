-- expect: instructions
function deliver(m, box)
  while true do m:text(1e9) end
end
