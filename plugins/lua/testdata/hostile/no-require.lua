-- expect: error: require is not a function
function deliver(m, box)
  require("os")
end
