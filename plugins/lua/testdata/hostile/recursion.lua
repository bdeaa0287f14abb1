-- expect: error: stack overflow
function deliver(m, box)
  local function f() return 1 + f() end
  f()
end
