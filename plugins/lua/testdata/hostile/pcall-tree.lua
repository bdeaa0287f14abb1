-- expect: instructions|time
function deliver(m, box)
  local function f() pcall(f) pcall(f) end
  f()
end
