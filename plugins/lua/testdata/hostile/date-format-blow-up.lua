-- expect: memory
function deliver(m, box)
  date(("%c"):rep(500000), "UTC")
end
