-- expect: error: setfenv is not a function
function deliver(m, box)
  setfenv(1, {})
end
