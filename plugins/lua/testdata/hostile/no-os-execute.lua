-- expect: error: execute is not a function
function deliver(m, box)
  os.execute("id")
end
