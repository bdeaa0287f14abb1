-- expect: instructions|time
function deliver(m, box)
  local function f() local x = 1 f() return x end
  while true do pcall(f) end
end
