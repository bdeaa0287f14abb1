-- expect: error: item 1 is a nil
function deliver(m, box)
  return table.concat({}, "", 1, 2^52)
end
