-- expect: error: is not a function
function deliver(m, box)
  local index = getmetatable("").__index
end
