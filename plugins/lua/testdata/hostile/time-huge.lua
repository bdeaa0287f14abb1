-- expect: error: must be a number
function deliver(m, box)
  os.time({year = 1e300, month = 1, day = 1})
end
