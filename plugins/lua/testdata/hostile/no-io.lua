-- expect: error: attempt to index a nil value with key 'open'
function deliver(m, box)
  io.open("/etc/passwd")
end
