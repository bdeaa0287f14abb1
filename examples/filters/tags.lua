-- Tags mail by words in its subject or text. The tags are keywords, which Thunderbird and others
-- show with a colour.

local tags = {
  ["$Money"] = { "invoice", "payment", "reminder" },
  ["$Meeting"] = { "agenda", "minutes", "meeting" },
}

function deliver(m, box)
  local text = (m.subject .. "\n" .. m:text(4096)):lower()
  for tag, words in pairs(tags) do
    for _, word in ipairs(words) do
      if text:find(word, 1, true) then
        box:flag(tag)
        break
      end
    end
  end
end
