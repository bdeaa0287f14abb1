-- expect: error: more than 31 groups
function deliver(m, box)
  re.match("a", ("(a)"):rep(300))
end
