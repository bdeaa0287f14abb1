-- expect: memory
function deliver(m, box)
  local kept = {}
  for i = 1, 1e6 do
    local t = {}
    t[50000] = 1
    kept[i] = t
  end
end
