-- expect: ok
function deliver(m, box)
  ("x"):rep(1000):gsub("x", function() dns.a("example.org") end)
end
