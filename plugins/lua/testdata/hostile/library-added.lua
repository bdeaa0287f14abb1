-- expect: error: table is read only
function deliver(m, box)
  table.x = 1
end
