-- expect: instructions|time
function deliver(m, box)
  while true do metric("a") end
end
