-- expect: error: the name of a metric
function deliver(m, box)
  metric('x"} 1\n')
end
