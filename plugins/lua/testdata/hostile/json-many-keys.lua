-- expect: memory|instructions
function deliver(m, box)
  local parts = {}
  for i = 1, 60000 do parts[i] = '"' .. i .. '":{}' end
  local text = "{" .. table.concat(parts, ",") .. "}"
  local t = {}
  for i = 1, 100 do t[i] = json.decode(text) end
end
