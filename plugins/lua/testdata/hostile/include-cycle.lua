-- expect: compile: includes itself
function deliver(m, box)
  include("include-cycle")
end
