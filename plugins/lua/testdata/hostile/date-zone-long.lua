-- expect: error: is no time zone
function deliver(m, box)
  date("%c", ("Europe/"):rep(100000))
end
