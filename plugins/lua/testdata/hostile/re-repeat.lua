-- expect: error: invalid repeat count
function deliver(m, box)
  re.match("a", "(((a{1,100}){1,100}){1,100}){1,100}")
end
