-- expect: error: too large
function deliver(m, box)
  re.match("a", "(\\pL\\pN\\pS){300}")
end
