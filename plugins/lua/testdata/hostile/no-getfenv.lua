-- expect: error: getfenv is not a function
function deliver(m, box)
  getfenv(0).x = 1
end
