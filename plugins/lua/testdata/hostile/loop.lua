-- expect: instructions
function deliver(m, box)
  while true do end
end
