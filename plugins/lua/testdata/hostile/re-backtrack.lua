-- expect: instructions|time
function deliver(m, box)
  local s = ("a"):rep(1000000)
  while true do re.find(s, "(a*)*(a|aa)+(a?){200}b") end
end
