-- expect: ok
function deliver(m, box)
  assert(not json.decode(('{"a":'):rep(200000)))
end
