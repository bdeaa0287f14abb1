-- expect: memory
function deliver(m, box)
  return (("x"):rep(1e5):gsub("x", ("y"):rep(1000)))
end
