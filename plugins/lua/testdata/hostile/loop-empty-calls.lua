-- expect: instructions
function deliver(m, box)
  local function f() end while true do f() end
end
