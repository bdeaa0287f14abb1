-- expect: instructions
function deliver(m, box)
  while true do pcall(dns.txt, "example.org") end
end
