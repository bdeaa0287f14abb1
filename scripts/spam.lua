-- Spam: adds up points for what is known about a message, files what has many into
-- Junk, and refuses what has very many. Mail from people whom one knows is never filed as
-- junk, when it is proven to be theirs. Where nothing proves it, for their domain has neither
-- DKIM nor SPF, as is with many small associations, it may have some points more than others.
--
-- A script of the server: scripts = ["scripts/spam.lua"] at the top of mail.toml.

-- The thresholds.
local JUNK = 5
local REFUSE = 12

-- How many points more mail in the name of somebody known may have that nothing proves.
local KNOWN = 3

-- Lists of bad senders to ask, such as "zen.spamhaus.org". Read their terms first: most
-- want you to have a name server of your own.
local BLOCKLISTS = {}

-- The points. A rule with 0 points is off.
local POINTS = {
  SPF_FAIL = 2, SPF_SOFTFAIL = 1,
  DKIM_FAIL = 0.5,
  DMARC_FAIL = 3,
  NO_AUTH = 1,               -- neither SPF nor DKIM say who it is from
  NO_RDNS = 1.5,             -- the sending server has no name
  BLOCKLISTED = 4,
  NO_MESSAGE_ID = 1, NO_DATE = 1.5, ODD_DATE = 1.5,
  MANY_FROM = 2,             -- more than one author
  NAME_IS_ADDRESS = 3,       -- "bank@example.net" <thief@example.com>
  REPLY_ELSEWHERE = 1,       -- answers go to another domain
  UNDISCLOSED = 1,           -- the reader is in neither To nor Cc, and it is no list
  SHOUTING = 1,              -- a subject in capitals
  URL_IP = 2.5, URL_IDN = 1, -- links to a bare address, or to a name in other letters
  ENCRYPTED_ARCHIVE = 2.5,   -- a password keeps scanners out
  VIRUS = 12,
  LIST = -1,                 -- a mailing list that signs what it sends
  TRUSTED = -2,              -- its author's own domain stands for it
}

local total

local function hit(rule, why)
  local points = POINTS[rule]
  if points ~= 0 then
    total = total + points
    score(points, rule, why)
  end
end

local function domain(address)
  return address:lower():match("@(.+)$") or ""
end

-- Who it is from.
local function sender(c, m)
  local auth = m.auth
  if auth.spf == "fail" then hit("SPF_FAIL", c.ip) end
  if auth.spf == "softfail" then hit("SPF_SOFTFAIL", c.ip) end
  if auth.dkim == "fail" then hit("DKIM_FAIL") end
  if auth.dmarc == "fail" then hit("DMARC_FAIL") end
  if auth.dmarc == "pass" then hit("TRUSTED") end
  if auth.spf ~= "pass" and auth.dkim ~= "pass" then hit("NO_AUTH") end
  local here = c.ip == "" or cidr(c.ip, { "127.0.0.0/8", "::1/128" }) -- a program on this machine
  if c.rdns == "" and not here then hit("NO_RDNS", c.ip) end
  for _, zone in ipairs(BLOCKLISTS) do
    if dnsbl(zone, c.ip) then
      hit("BLOCKLISTED", zone)
    end
  end
end

-- What programs that write honest mail get right.
local function header(m)
  if m:header("Message-ID") == "" then hit("NO_MESSAGE_ID") end
  if not m.date then
    hit("NO_DATE")
  elseif math.abs(now() - m.date) > 7 * 24 * 3600 then
    hit("ODD_DATE", m:header("Date"))
  end
  local authors = m:addresses("From")
  if #authors > 1 then hit("MANY_FROM") end
  local author = authors[1] or ""
  -- Of a long name a part is enough: a search through all of it could take the time of the script.
  local name = m:header("From"):sub(1, 500):match("^([^<]*)<") or ""
  local claimed = name:match("[%w._-]+@[%w.-]+")
  if claimed and domain(claimed) ~= domain(author) then
    hit("NAME_IS_ADDRESS", claimed)
  end
  local reply = m:addresses("Reply-To")[1]
  if reply and not m.is.list and domain(reply) ~= domain(author) then
    hit("REPLY_ELSEWHERE", reply)
  end
  local subject = m.subject
  if #subject > 10 and subject:find("%u%u%u%u") and subject == subject:upper() then hit("SHOUTING") end
  if m.is.list then
    if m.auth.dkim == "pass" then hit("LIST") end
  elseif #m:addresses("To") + #m:addresses("Cc") == 0 then
    hit("UNDISCLOSED")
  end
end

-- What is in it.
local function content(m)
  for _, url in ipairs(m:urls()) do
    local host = url:match("^https?://([^/:?#]+)") or ""
    if host:find("^%d+%.%d+%.%d+%.%d+$") then
      hit("URL_IP", host)
      break
    elseif host:find("xn--", 1, true) then
      hit("URL_IDN", host)
      break
    end
  end
  for _, file in ipairs(m:attachments()) do
    if file.encrypted then
      hit("ENCRYPTED_ARCHIVE", file.name)
      break
    end
  end
  if m.virus ~= "" then hit("VIRUS", m.virus) end
end

function data(c, m)
  total = m.spam.score
  sender(c, m)
  header(m)
  content(m)
  if total >= REFUSE then
    return reject(550, "5.7.1", "This message looks like spam")
  end
end

-- Whether it bears the name of somebody known, though nothing proves it, and nothing speaks
-- against it.
local function may_be_known(m, box)
  if m.auth.dmarc == "fail" or m.auth.spf == "fail" or m.auth.dkim == "fail" then
    return false
  end
  local author = m:addresses("From")[1]
  local known = author and box:contact(author)
  return known and (known.name ~= "" or known.written)
end

function deliver(m, box)
  if m.spam.score < JUNK or m.is.from_contact then
    return
  end
  if m.spam.score >= JUNK + KNOWN or not may_be_known(m, box) then
    box:fileinto("Junk", { create = true })
  end
end
