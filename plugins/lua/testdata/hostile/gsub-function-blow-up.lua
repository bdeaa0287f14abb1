-- expect: memory
function deliver(m, box)
  local y = ("y"):rep(1e5)
  return (("x"):rep(1e5):gsub("x", function() return y end))
end
