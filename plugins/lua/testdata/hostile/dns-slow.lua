-- expect: time
function deliver(m, box)
  while true do dns.a("slow.example.org") end
end
