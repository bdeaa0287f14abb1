-- expect: actions
function deliver(m, box)
  while true do pcall(box.flag, box, "$x") end
end
