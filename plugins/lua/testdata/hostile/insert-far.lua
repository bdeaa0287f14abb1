-- expect: error: position out of bounds
function deliver(m, box)
  table.insert({}, 2^40, 1)
end
