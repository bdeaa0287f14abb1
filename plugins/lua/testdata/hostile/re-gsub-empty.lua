-- expect: instructions|memory|time
function deliver(m, box)
  local s = ("a"):rep(1000000)
  while true do re.gsub(s, "", "") end
end
