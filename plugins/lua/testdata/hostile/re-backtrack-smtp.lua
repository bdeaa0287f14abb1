-- expect: instructions|time
-- stage: data
function data(c, m)
  local s = ("a"):rep(1000000)
  while true do re.match(s, "(x|y|a)*?(a|aa|aaa){400}z") end
end
