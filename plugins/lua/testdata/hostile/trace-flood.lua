-- expect: instructions|time|memory
function deliver(m, box)
  while true do trace(("x"):rep(100000)) end
end
