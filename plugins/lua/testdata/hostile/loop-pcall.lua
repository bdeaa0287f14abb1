-- expect: instructions
function deliver(m, box)
  while true do pcall(function() while true do end end) end
end
