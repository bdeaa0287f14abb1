-- Sends a copy to a colleague of what has certain words in its subject.

local colleague = "bob@example.org"
local words = { "choir", "rehearsal" }

function deliver(m, box)
  local subject = m.subject:lower()
  for _, word in ipairs(words) do
    if subject:find(word, 1, true) then
      return box:redirect(colleague, { copy = true })
    end
  end
end
