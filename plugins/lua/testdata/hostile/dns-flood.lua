-- expect: instructions
function deliver(m, box)
  for i = 1, 1e6 do dns.a("h" .. i .. ".example.org") end
end
