-- expect: error: m is read only
function deliver(m, box)
  m.subject = "x"
end
