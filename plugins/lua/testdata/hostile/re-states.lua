-- expect: instructions|time
function deliver(m, box)
  local s = ("ab"):rep(500000)
  while true do re.find(s, "(?:[ab]{0,99}){0,9}c(?:[ab]{0,99}){0,9}d") end
end
