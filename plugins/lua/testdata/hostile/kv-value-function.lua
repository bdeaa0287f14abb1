-- expect: error: JSON has no function
function deliver(m, box)
  kv.set("a", {f = function() end})
end
