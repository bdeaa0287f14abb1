-- expect: error: getmetatable is not a function
function deliver(m, box)
  getmetatable("").__index = nil
end
