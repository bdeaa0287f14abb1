-- Refuses senders before the message comes, for one address or for all. It is
-- a script of the server: `scripts` at the top of mail.toml.

local refused = {
  ["*"] = { "@spam.example", "nobody@example.net" },
  ["info@example.org"] = { "@shop.example" },
}

local function matches(from, list)
  for _, pattern in ipairs(list or {}) do
    if from:sub(-#pattern) == pattern then
      return true
    end
  end
end

function rcpt(c, m, r)
  local from = m.from:lower()
  if matches(from, refused["*"]) or matches(from, refused[r.original:lower()]) then
    log("refused", from, "to", r.original)
    return reject(550, "5.7.1", "This address takes no mail from you")
  end
end
