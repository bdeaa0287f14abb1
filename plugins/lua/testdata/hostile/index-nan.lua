-- expect: error: table index is NaN
function deliver(m, box)
  local t = {} t[0/0] = 1
end
