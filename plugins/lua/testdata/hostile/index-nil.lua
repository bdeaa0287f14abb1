-- expect: error: table index is nil
function deliver(m, box)
  local t = {} t[nil] = 1
end
