-- expect: error: error object is a table
function deliver(m, box)
  local e = {} e.e = e error(e)
end
