-- expect: memory
function deliver(m, box)
  local text = '"' .. ("\\u00e9"):rep(150000) .. '"'
  local t = {}
  for i = 1, 1000 do t[i] = json.decode(text) end
end
