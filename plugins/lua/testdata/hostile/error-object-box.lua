-- expect: error: error object is a userdata
function deliver(m, box)
  error(box)
end
