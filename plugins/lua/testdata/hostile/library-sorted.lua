-- expect: error: the table is read only
function deliver(m, box)
  table.sort(math)
end
