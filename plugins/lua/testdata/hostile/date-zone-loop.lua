-- expect: instructions|time
function deliver(m, box)
  while true do date("%c", "Europe/Berlin") end
end
