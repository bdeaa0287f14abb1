-- expect: instructions|time|memory
function deliver(m, box)
  for i = 1, 1e6 do re.match("a", "^(?:[a-y]{1,900}|x" .. i .. "){1}") end
end
