-- expect: ok
function deliver(m, box)
  local t = {}
  for _, k in ipairs { 1 / 0, -1 / 0, 0, -1, 1.5, 2^53, 2^63, 2^64, -2^63, 2097151.5, 2097153 } do t[k] = k end
  for k, v in pairs(t) do assert(k == v) end
end
