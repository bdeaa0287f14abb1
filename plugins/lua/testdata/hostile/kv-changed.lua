-- expect: error: kv is read only
function deliver(m, box)
  kv.get = function() return "mine" end
end
