-- expect: memory
function deliver(m, box)
  local t = {}
  for i = 1, 5e6 do
    t["k" .. i] = true
    t["k" .. i] = nil -- gopher-lua keeps the key
  end
end
