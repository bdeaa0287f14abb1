-- Refuses some addresses of a domain whose catch_all takes all others: those that spammers
-- have got hold of.

local gone = {
  ["sales@example.org"] = true,
  ["old-shop@example.org"] = true,
}

function rcpt(c, m, r)
  if gone[r.original:lower()] then
    return reject(550, "5.1.1", "There is no such address here")
  end
end
