-- expect: ok
function deliver(m, box)
  box:add_header("X-Test", "a\r\nBcc: b@example.net")
end
