-- expect: memory
function deliver(m, box)
  local t = {}
  for i = 1, 1e6 do t[i] = re.gmatch(("x"):rep(100000) .. i, "y") end
end
