-- expect: error: more than 1000 networks
function deliver(m, box)
  local nets = {}
  for i = 1, 100000 do nets[i] = "192.0.2.0/24" end
  cidr("192.0.2.1", nets)
end
