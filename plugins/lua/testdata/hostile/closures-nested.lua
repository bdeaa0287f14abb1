-- expect: memory|instructions
function deliver(m, box)
  local f = function() return 1 end
  for i = 1, 1e6 do local g = f f = function() return g end end
  local n = 0 while type(f) == "function" do f = f() n = n + 1 end
end
