-- expect: error: is not the name of a header field
function deliver(m, box)
  box:add_header("X Test:", "a")
end
