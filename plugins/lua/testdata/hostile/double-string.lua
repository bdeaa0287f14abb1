-- expect: memory
function deliver(m, box)
  local s = "xxxxxxxx"
  for i = 1, 31 do s = s .. s end
end
