-- expect: error: newproxy is not a function
function deliver(m, box)
  newproxy(true)
end
