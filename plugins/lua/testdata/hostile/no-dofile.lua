-- expect: error: dofile is not a function
function deliver(m, box)
  dofile("/etc/passwd")
end
