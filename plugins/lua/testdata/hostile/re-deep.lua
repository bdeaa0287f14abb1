-- expect: error: bad argument #2 to match
function deliver(m, box)
  re.match("a", ("("):rep(500) .. (")"):rep(500))
end
