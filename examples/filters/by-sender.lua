-- Files each person's mail into a folder of their own, once one has written to them:
-- From/bob for bob@example.net.

function deliver(m, box)
  local author = m:addresses("From")[1]
  if author and m.is.from_contact and not m.is.list then
    local name = author:lower():match("^[^@]+"):gsub("[^%w_-]", "-")
    box:fileinto("From/" .. name, { create = true })
  end
end
