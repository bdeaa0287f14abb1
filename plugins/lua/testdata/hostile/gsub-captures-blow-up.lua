-- expect: memory
function deliver(m, box)
  return (("x"):rep(1e5):gsub("(.*)", ("%1"):rep(100)))
end
