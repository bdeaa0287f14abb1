-- expect: memory
function deliver(m, box)
  local s = "x"
  while true do s = base64.encode(s .. s) end
end
