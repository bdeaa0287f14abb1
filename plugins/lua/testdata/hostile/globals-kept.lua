-- expect: ok
count = (count or 0) + 1
function deliver(m, box)
  count = count + 1
  assert(count == 2, "a global outlived its run")
end
