-- expect: ok
function deliver(m, box)
  assert(not (string.format("%s%s%s", m, {}, log)):find("0x"))
end
