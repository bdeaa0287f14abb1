-- expect: instructions|time
function deliver(m, box)
  local s = ""
  while true do s = hash.md5(s) .. hash.sha1(s) end
end
