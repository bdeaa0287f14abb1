-- expect: instructions
function deliver(m, box)
  while true do m:headers("X-Two") m:addresses("To") box:folders() end
end
