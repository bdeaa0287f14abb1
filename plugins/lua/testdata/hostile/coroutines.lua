-- expect: error: attempt to index a nil value with key 'create'
function deliver(m, box)
  local t = {}
  for i = 1, 20000 do t[i] = coroutine.create(function() end) end
end
