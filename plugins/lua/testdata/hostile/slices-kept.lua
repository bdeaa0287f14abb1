-- expect: ok
function deliver(m, box)
  local t = {}
  for i = 1, 100 do
    local s = ("x"):rep(1e6)
    t[#t + 1] = s:sub(1, 1) .. s:match("^(x)") .. s:sub(-1):upper()
  end
  assert(#table.concat(t) == 300)
end
