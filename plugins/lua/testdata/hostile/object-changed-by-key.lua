-- expect: error: box is read only
function deliver(m, box)
  local k = "address" box[k] = "x"
end
