-- expect: error: stack overflow
function deliver(m, box)
  local function f() return (("x"):gsub(".", f)) end
  f()
end
