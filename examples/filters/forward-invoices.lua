-- Sends invoices on to the treasurer: PDF files whose message or name says so. Nothing else
-- leaves.

local treasurer = "treasurer@example.org"
local words = { "invoice", "facture", "rechnung", "factuur" }

local function says_so(text)
  text = text:lower()
  for _, word in ipairs(words) do
    if text:find(word, 1, true) then
      return true
    end
  end
end

function deliver(m, box)
  for _, file in ipairs(m:attachments()) do
    if file.type == "application/pdf" and (says_so(m.subject) or says_so(file.name)) then
      return box:redirect(treasurer, { copy = true })
    end
  end
end
