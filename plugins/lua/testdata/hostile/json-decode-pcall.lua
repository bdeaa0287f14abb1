-- expect: memory
function deliver(m, box)
  local text = "[" .. ("[],"):rep(340000) .. "[]]"
  local t = {}
  while true do pcall(function() t[#t + 1] = json.decode(text) end) end
end
