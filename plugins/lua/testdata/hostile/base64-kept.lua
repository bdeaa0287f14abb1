-- expect: memory
function deliver(m, box)
  local s, t = base64.encode(("x"):rep(700000)), {}
  for i = 1, 1000 do t[i] = base64.decode(s) end
end
