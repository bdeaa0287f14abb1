-- expect: instructions
function deliver(m, box)
  for i = 2, 1, 0 do end
end
