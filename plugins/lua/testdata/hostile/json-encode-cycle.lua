-- expect: error: nested deeper than 32
function deliver(m, box)
  local t = {}
  t[1] = {t}
  json.encode(t)
end
