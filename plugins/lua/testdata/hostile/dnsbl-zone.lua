-- expect: error: not the zone of a list
function deliver(m, box)
  dnsbl(("x."):rep(300), "192.0.2.1")
end
