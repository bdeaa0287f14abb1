-- expect: memory
function deliver(m, box)
  local t
  while true do t = { t } end
end
