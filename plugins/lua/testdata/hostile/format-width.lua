-- expect: error: invalid format
function deliver(m, box)
  return string.format("%99999999d", 1)
end
