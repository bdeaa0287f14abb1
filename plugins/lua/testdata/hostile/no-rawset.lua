-- expect: error: rawset is not a function
function deliver(m, box)
  rawset(string, "len", nil)
end
