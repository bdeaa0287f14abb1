-- Keeps the mailbox small: large messages go to a folder of their own once the
-- quota is nearly used up, and newsletters are not kept at all.

function deliver(m, box)
  if m:header("Precedence"):lower() == "bulk" and m:header("List-Unsubscribe") ~= "" then
    return box:discard()
  end
  local quota = box.quota
  local nearly_full = quota.max > 0 and quota.used + m.size > quota.max * 0.9
  if nearly_full and m.size > 1000000 then
    box:fileinto("Large", { create = true })
    box:add_header("X-Filed", string.format("%.1f MB, %d%% of the quota used", m.size / 1e6, 100 * quota.used / quota.max))
  end
end
