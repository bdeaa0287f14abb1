-- expect: memory
function deliver(m, box)
  re.gsub(("a"):rep(1000), "a", ("x"):rep(2000))
end
