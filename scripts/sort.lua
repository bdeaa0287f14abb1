-- Sorts mail by itself: mailing lists into Lists/NAME, plus addresses into folders
-- (alice+shop@ into Shop), newsletters into Newsletters.
--
-- A script of an account, a domain or the server: scripts = ["scripts/sort.lua"].

local LISTS = true
local PLUS = true
local NEWSLETTERS = true

-- A name that is fit for a folder, with a capital letter; nil when nothing is left.
local function folder(name)
  name = name:gsub("[^%w_-]", "")
  if name ~= "" and #name <= 40 then
    return name:sub(1, 1):upper() .. name:sub(2)
  end
end

-- "The board <board.lists.example.org>" is the list board.
local function list(m)
  local id = m:header("List-Id"):match("<([^<>]+)>") or m:header("List-Id")
  return folder(id:match("^[^.]*"))
end

local function detail(m)
  local part = m.to[1] and m.to[1]:match("%+([^@]+)@")
  return part and folder(part)
end

function deliver(m, box)
  local plus = PLUS and detail(m)
  if plus then
    return box:fileinto(plus, { create = true })
  end
  local name = LISTS and list(m)
  if name then
    return box:fileinto("Lists/" .. name, { create = true })
  end
  if NEWSLETTERS and m:header("List-Unsubscribe") ~= "" and not m.is.from_contact then
    return box:fileinto("Newsletters", { create = true })
  end
end
