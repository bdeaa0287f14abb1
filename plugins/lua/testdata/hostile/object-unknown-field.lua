-- expect: error: m has no field "spam"
function deliver(m, box)
  return m.spam.score
end
