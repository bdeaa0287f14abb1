-- expect: memory
function deliver(m, box)
  local function f(n, ...)
    return 1 + f(n + 1, ("x"):rep(1e6) .. n, ...)
  end
  f(1)
end
