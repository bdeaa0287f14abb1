-- expect: memory
function deliver(m, box)
  local t, kept = {}, {}
  for i = 1, 7000 do t[i] = i end
  while true do kept[#kept + 1] = { unpack(t) } end
end
