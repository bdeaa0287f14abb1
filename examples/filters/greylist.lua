-- Asks suspicious servers to come again in five minutes, as every mail server does and few
-- spam programs do. Who has a name and says it is not asked.

local function suspicious(c)
  if c.rdns == "" then
    return true -- no name
  end
  local helo = c.helo:lower()
  if helo:find("^%[") or not helo:find(".", 1, true) or helo == c.ip then
    return true -- says no name
  end
  -- The names of connections at home have their address in them.
  local a, b, d, e = c.ip:match("^(%d+)%.(%d+)%.(%d+)%.(%d+)$")
  if a and c.rdns:find(a .. "[.-]" .. b .. "[.-]" .. d .. "[.-]" .. e) then
    return true
  end
  return a and c.rdns:find(e .. "[.-]" .. d .. "[.-]" .. b .. "[.-]" .. a) ~= nil
end

function rcpt(c, m, r)
  if c.user == "" and c.ip ~= "" and suspicious(c) then
    return greylist { after = 300 }
  end
end
