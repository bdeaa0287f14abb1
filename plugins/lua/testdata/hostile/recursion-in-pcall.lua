-- expect: ok
function deliver(m, box)
  local n = 0
  local function f() n = n + 1 pcall(f) end
  f()
  assert(n > 10)
end
