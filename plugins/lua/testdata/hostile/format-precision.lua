-- expect: error: invalid format
function deliver(m, box)
  return string.format("%.999f", 1)
end
