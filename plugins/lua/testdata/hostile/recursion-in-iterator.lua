-- expect: error: stack overflow
function deliver(m, box)
  local function f() for x in f do end end
  f()
end
