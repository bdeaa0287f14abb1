-- expect: instructions
function deliver(m, box)
  for i = 1, math.huge do end
end
