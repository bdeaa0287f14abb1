-- An address for each customer: shop+acme@example.org. Its mail is filed under Customers, and
-- an address that has begun to get spam is closed, while all the others stay.

local closed = { oldcustomer = true }

function rcpt(c, m, r)
  if r.address == "shop@example.org" and closed[r.detail:lower()] then
    return reject(550, "5.1.1", "This address is not in use any more")
  end
end

function deliver(m, box)
  local customer = m.to[1] and m.to[1]:match("%+([%w_-]+)@")
  if customer then
    box:fileinto("Customers/" .. customer:lower(), { create = true })
  end
end
