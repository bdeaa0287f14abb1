-- expect: error: a metric grows by
function deliver(m, box)
  metric("a", 1/0)
end
