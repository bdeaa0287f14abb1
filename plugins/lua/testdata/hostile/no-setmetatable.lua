-- expect: error: setmetatable is not a function
function deliver(m, box)
  setmetatable({}, { __gc = error })
end
