-- expect: redirects
function deliver(m, box)
  for i = 1, 100 do box:redirect("a" .. i .. "@example.net") end
end
