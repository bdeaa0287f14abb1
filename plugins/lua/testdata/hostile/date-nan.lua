-- expect: error: time out of range
function deliver(m, box)
  os.date("%c", 0/0)
end
