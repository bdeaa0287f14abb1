-- expect: instructions
function deliver(m, box)
  local nets = {}
  for i = 1, 1000 do nets[i] = "192.0.2.0/24" end
  while true do cidr("192.0.2.1", nets) end
end
