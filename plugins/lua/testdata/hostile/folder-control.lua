-- expect: error: holds a control character
function deliver(m, box)
  box:fileinto("a\0b")
end
