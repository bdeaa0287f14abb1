-- expect: memory
function deliver(m, box)
  return os.date(("%c"):rep(1e5))
end
