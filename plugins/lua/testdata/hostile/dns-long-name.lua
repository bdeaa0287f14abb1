-- expect: ok
function deliver(m, box)
  assert(#dns.a(("x."):rep(500000)) == 0)
end
