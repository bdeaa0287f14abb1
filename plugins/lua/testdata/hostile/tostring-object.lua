-- expect: ok
function deliver(m, box)
  assert(tostring(m) == "m" and tostring(box) == "box" and not tostring(log):find("0x"))
end
