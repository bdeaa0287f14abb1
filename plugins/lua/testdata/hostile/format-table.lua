-- expect: error: bad argument
function deliver(m, box)
  string.format("%d", {})
end
