-- expect: error: attempt to compare
function deliver(m, box)
  table.sort({ 3, "x", {} })
end
