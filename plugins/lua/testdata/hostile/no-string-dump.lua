-- expect: error: dump is not a function
function deliver(m, box)
  string.dump(deliver)
end
