-- expect: compile: 3: syntax error near
function deliver(m, box)
  if m.subject = 'x' then end
end
