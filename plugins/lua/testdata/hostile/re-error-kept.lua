-- expect: memory|instructions|time
function deliver(m, box)
  local t = {}
  for i = 1, 1e6 do t[i] = select(2, pcall(re.match, "a", ("("):rep(900) .. i)) end
end
