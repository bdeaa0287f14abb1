-- expect: error: a period is
function deliver(m, box)
  rate("a", 1, -1e308)
end
