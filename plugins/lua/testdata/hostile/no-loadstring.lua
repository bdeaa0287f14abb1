-- expect: error: loadstring is not a function
function deliver(m, box)
  loadstring("return 1")
end
