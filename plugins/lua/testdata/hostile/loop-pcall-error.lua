-- expect: instructions|time
function deliver(m, box)
  while true do pcall(error, 'x') end
end
