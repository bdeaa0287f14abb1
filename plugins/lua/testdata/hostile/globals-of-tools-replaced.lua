-- expect: ok
function deliver(m, box)
  kv, re, dns, log, pcall = nil
  assert(kv.get and re.match)
end
