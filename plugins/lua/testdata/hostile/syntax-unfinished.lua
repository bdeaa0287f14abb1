-- expect: compile: 3: syntax error at the end of the file
function deliver(m, box)
