-- expect: instructions|memory|time
function deliver(m, box)
  local s = "x"
  while true do s = json.encode({s, s}) if #s > 100000 then s = "x" end end
end
