-- expect: error: stack overflow
function deliver(m, box)
  local function f(n)
    if n == 0 then error("end") end
    return f(n - 1)
  end
  f(4e6)
end
