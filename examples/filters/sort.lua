-- Sorts mail into folders, by list, by sender and by subject. The first rule
-- that fits wins; what fits none goes to INBOX.

local lists = {
  ["golang-nuts"] = "Lists/Go",
  ["board"] = "Lists/Board",
}

local senders = {
  ["shop@example.net"] = "Shopping",
  ["bank@example.net"] = "Bank",
}

function deliver(m, box)
  local list = m:header("List-Id"):match("<([%w_-]+)")
  if list and lists[list] then
    return box:fileinto(lists[list], { create = true })
  end
  for _, address in ipairs(m:addresses("From")) do
    local folder = senders[address:lower()]
    if folder then
      return box:fileinto(folder, { create = true })
    end
  end
  if m.subject:lower():find("invoice", 1, true) then
    return box:fileinto("Invoices", { create = true })
  end
end
