-- expect: memory
function deliver(m, box)
  re.gsub(("a"):rep(2000), "(a+)", ("%1"):rep(2000))
end
