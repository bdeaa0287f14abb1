-- expect: error: holds a control character
function deliver(m, box)
  box:redirect("a@example.net>\r\nDATA")
end
