-- expect: instructions|time
function deliver(m, box)
  local function f() xpcall(error, f) return f() end
  f()
end
