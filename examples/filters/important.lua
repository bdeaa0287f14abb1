-- Flags mail of some people, and marks what machines send as read.

local people = { ["carol@example.net"] = true, ["school@example.net"] = true }

function deliver(m, box)
  for _, address in ipairs(m:addresses("From")) do
    if people[address:lower()] then
      return box:flag("\\Flagged")
    end
  end
  -- RFC 3834: a message that a program wrote says so.
  local auto = m:header("Auto-Submitted"):lower()
  if auto ~= "" and auto ~= "no" then
    box:flag { "\\Seen", "$Automatic" }
  end
end
