-- expect: memory|instructions
function deliver(m, box)
  local t = {}
  while true do t[#t + 1] = hash.sha256(#t) .. hash.sha256(-#t) .. hash.sha256(#t + 0.5) end
end
