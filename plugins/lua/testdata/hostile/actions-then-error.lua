-- expect: error: too late
function deliver(m, box)
  box:discard()
  error("too late")
end
