-- expect: ok
function deliver(m, box)
  local text = ("["):rep(500000)
  local v, err = json.decode(text)
  assert(v == nil and err:find("deeper"))
end
