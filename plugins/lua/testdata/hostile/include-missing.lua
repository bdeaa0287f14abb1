-- expect: compile: includ
function deliver(m, box)
  include("nothing")
end
