-- expect: instructions
function deliver(m, box)
  xpcall(function() error("x") end, function() while true do end end)
end
