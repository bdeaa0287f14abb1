-- expect: memory
function deliver(m, box)
  local t = {"x"}
  for i = 1, 25 do t = {t, t} end
  kv.set("a", t)
end
