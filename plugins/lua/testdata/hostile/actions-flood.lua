-- expect: actions
function deliver(m, box)
  while true do box:keep() end
end
