-- expect: instructions|time
function deliver(m, box)
  while true do for w in re.gmatch(("ab"):rep(100000), "a?") do end end
end
