-- expect: memory
function deliver(m, box)
  local big = ("x"):rep(100000)
  re.gsub(("a"):rep(1000), "a", function() return big end)
end
