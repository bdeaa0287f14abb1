-- expect: compile: goto and labels are not supported
function deliver(m, box) ::a:: goto a end
