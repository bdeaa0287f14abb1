-- expect: error: the table is read only
function deliver(m, box)
  table.insert(string, 1)
end
