-- expect: instructions
function deliver(m, box)
  for i = 1, 1e6 do dnsbl("bl.example", "192.0.2." .. i % 250) end
end
