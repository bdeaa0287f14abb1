-- expect: ok
function deliver(m, box)
  local t = {}
  t[67000000] = 1 -- kept in the hash part
  t[2^40] = 1
  assert(t[67000000] == 1 and t[2^40] == 1)
end
