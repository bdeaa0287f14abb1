-- Files the mail of mailing lists into folders of their own: what comes with
-- "List-Id: Board of the club <board.example.org>" goes into Lists/board.

function deliver(m, box)
  local name = m:header("List-Id"):match("<([%w_-]+)")
  if name then
    return box:fileinto("Lists/" .. name, { create = true })
  end
end
