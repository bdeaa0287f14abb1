-- expect: error: a limit is left
function deliver(m, box)
  for i = 1, 100 do xpcall(error, error) end
  error("a limit is left")
end
