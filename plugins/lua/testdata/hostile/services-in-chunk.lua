-- expect: ok
for i = 1, 100 do dns.a("example.org") end
function deliver() end
