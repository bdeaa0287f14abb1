-- expect: error: the table is read only
function deliver(m, box)
  local k = "len" string[k] = nil
end
