-- expect: memory
function deliver(m, box)
  local text = "[" .. ("[],"):rep(340000) .. "[]]"
  local t = {}
  for i = 1, 100 do t[i] = json.decode(text) end
end
