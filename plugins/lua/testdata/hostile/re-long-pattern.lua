-- expect: error: at most 1000 octets
function deliver(m, box)
  re.match("a", ("(a|b)*"):rep(100000))
end
