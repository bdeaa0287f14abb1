-- Tells a chat room about mail to the office. mail.toml must name the host:
--
--   [lua]
--   http = ["chat.example.net"]

local hook = "https://chat.example.net/hooks/office"

function deliver(m, box)
  local answer, problem = http.request {
    method = "POST", url = hook,
    headers = { ["Content-Type"] = "application/json" },
    body = json.encode { text = "Mail from " .. (m:addresses("From")[1] or m.from) .. ": " .. m.subject },
  }
  if not answer then
    log("the chat room was not told:", problem) -- the mail is there all the same
  end
end
