-- expect: compile: is no name of a file
function deliver(m, box)
  include("/etc/passwd")
end
