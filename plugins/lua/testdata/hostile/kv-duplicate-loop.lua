-- expect: kv
function deliver(m, box)
  for i = 1, 1e6 do duplicate(hash.md5(i), 3e8) end
end
