-- expect: instructions|time
function deliver(m, box)
  local n = 0
  while true do n = n + 1 pcall(re.match, "a", "(" .. n .. "){1000}(x{1000}") end
end
