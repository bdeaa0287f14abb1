-- expect: memory
function deliver(m, box)
  local function f(n)
    local s = ("x"):rep(1e6) .. n
    f(n + 1)
    return s
  end
  f(1)
end
