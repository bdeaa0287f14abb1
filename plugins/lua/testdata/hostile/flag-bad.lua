-- expect: error: is not an IMAP flag
function deliver(m, box)
  box:flag("a b")
end
