-- Limits of one's own, beside [limits.sending] of mail.toml: how much a stranger may
-- send to one address, and how often somebody may guess a name here.
--
-- A script of the server: scripts = ["scripts/limits.lua"] at the top of mail.toml.

local PER_ADDRESS = 60   -- messages an hour from one server to one address
local PER_SERVER = 1000  -- messages an hour from one server
local LOGINS = 200       -- logins an hour of one account, from everywhere

local HOUR = 3600

-- Servers of a provider stand side by side: IPv6 addresses count by their /64.
local function network(ip)
  local groups = {}
  if not ip:find(":", 1, true) then
    return ip
  end
  for group in ip:gmatch("[^:]+") do
    groups[#groups + 1] = group
    if #groups == 4 then break end
  end
  return table.concat(groups, ":")
end

function rcpt(c, m, r)
  if c.user ~= "" or c.ip == "" then
    return -- our own users have limits in mail.toml; LMTP has no address
  end
  local from = network(c.ip)
  if rate("server " .. from, PER_SERVER, HOUR) or rate(from .. " " .. r.address:lower(), PER_ADDRESS, HOUR) then
    return tempfail(450, "4.7.1", "Too many messages from you, try again in an hour")
  end
end

function auth(c, a)
  if rate("login " .. a.account, LOGINS, HOUR) then
    return reject(535, "5.7.0", "more than " .. LOGINS .. " logins in an hour")
  end
end
