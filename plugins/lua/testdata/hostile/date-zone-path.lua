-- expect: error: is no time zone
function deliver(m, box)
  date("%c", "../../../etc/passwd")
end
