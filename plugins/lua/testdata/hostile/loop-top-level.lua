-- expect: instructions
while true do end
function deliver(m, box) end
