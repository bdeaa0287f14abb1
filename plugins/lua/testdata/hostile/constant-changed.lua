-- expect: compile: a constant can't be indexed
function deliver(m, box)
  ("x").subject = 1
end
