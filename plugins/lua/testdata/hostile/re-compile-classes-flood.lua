-- expect: instructions|time|memory
function deliver(m, box)
  for i = 1, 1e6 do re.match("a", "^\\pL{1,50}x" .. i .. "$") end
end
