-- expect: memory
function deliver(m, box)
  local kept, n = {}, 60000
  while true do kept[#kept + 1] = { [n] = 1 } end
end
