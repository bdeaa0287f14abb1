-- expect: error: error object is a table
function deliver(m, box)
  local e = {} for i = 1, 10000 do e[i] = ("x"):rep(1000) end error(e)
end
