-- expect: instructions|time
function deliver(m, box)
  local text = "[" .. ("1,"):rep(200000) .. "1]"
  while true do json.decode(text) end
end
