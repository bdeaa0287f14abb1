-- expect: error: JSON has no userdata
function deliver(m, box)
  kv.set("a", box)
end
