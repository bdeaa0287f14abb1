-- expect: compile: as a constant text
function deliver(m, box)
  include("a" .. "b")
end
