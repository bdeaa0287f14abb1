-- expect: error: time out of range
function deliver(m, box)
  date("%c", "UTC", 1e308)
end
