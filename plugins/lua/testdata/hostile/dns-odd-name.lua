-- expect: ok
function deliver(m, box)
  assert(#dns.a("a\0b") == 0 and #dns.txt("a b\r\n") == 0 and #dns.ptr(("1."):rep(100)) == 0)
end
