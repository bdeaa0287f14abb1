-- expect: error: write m:header(...), with a colon
function deliver(m, box)
  m.header(box, "x")
end
