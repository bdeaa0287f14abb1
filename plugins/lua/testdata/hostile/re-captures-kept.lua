-- expect: memory|instructions
function deliver(m, box)
  local s, t = ("x"):rep(500000), {}
  for i = 1, 1000 do t[i] = {re.match(s, "(((((.*)))))")} end
end
