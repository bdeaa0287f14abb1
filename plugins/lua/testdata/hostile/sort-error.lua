-- expect: error: no order
function deliver(m, box)
  table.sort({ 3, 2, 1 }, function(a, b) error("no order") end)
end
