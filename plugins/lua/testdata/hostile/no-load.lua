-- expect: error: load is not a function
function deliver(m, box)
  load("return 1")
end
