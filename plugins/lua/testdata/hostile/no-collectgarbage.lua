-- expect: error: collectgarbage is not a function
function deliver(m, box)
  collectgarbage("collect")
end
