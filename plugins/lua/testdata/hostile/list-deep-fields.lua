-- expect: memory
function deliver(m, box)
  local t = {}
  while true do
    local n = {}
    n.next = t
    t = n
  end
end
