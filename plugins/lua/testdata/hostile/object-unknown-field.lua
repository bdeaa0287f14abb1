-- expect: error: m has no field "spamm"
function deliver(m, box)
  return m.spamm.score
end
