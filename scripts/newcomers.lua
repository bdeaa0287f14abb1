-- Marks the first mail of somebody new, and warns when a newcomer bears the name of
-- somebody who is known: a frequent trick ("Alice Martin" <boss@freemail.example>).
-- Who stands in an address book, or was written to, is not new.
--
-- A script of an account, a domain or the server: scripts = ["scripts/newcomers.lua"].

local TAG = "$Newcomer"
local WARNING = "[name of a known person] "

-- The name before the address: '"Alice Martin" <a@b>' is "alice martin".
local function display(m)
  local name = m:header("From"):sub(1, 200):match("^([^<]*)<") or ""
  name = name:lower():gsub('"', ""):gsub("%s+", " ")
  return name:match("^ ?(.-) ?$")
end

-- Whether the address is of somebody who is known, proven or not: that it may be forged is
-- for scripts against spam.
local function known_address(author, box)
  local contact = box:contact(author)
  return contact and (contact.name ~= "" or contact.written)
end

function deliver(m, box)
  local author = m:addresses("From")[1]
  if not author or m.is.list or m.is.auto then
    return
  end
  local name = display(m)
  if m.is.first_time and not m.is.from_local and not known_address(author, box) then
    box:flag(TAG)
    local known = name ~= "" and kv.get("name " .. name)
    if known and known ~= author:lower() then
      box:subject_prefix(WARNING)
      box:add_header("X-Newcomer", "the name is that of " .. known)
    end
  elseif name ~= "" and m.is.from_contact then
    kv.set("name " .. name, author:lower(), { ttl = "365 days" })
  end
end
