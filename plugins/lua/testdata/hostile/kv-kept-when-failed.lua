-- expect: error: kept
function deliver(m, box)
  kv.set("a", 1) error("kept")
end
