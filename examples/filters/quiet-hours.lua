-- Lets mail wait until the morning: what comes between 20:00 and 7:00, and on Sundays, is
-- put away and comes back at 7. What is urgent, and what comes from people one has written
-- to today, does not wait.

local evening, morning = 20, 7

function deliver(m, box)
  local t = os.date("*t")
  local quiet = t.hour >= evening or t.hour < morning or t.wday == 1
  if not quiet or m.subject:lower():find("urgent", 1, true) or box:thread_known(m) then
    return
  end
  local day = t.day
  if t.hour >= morning then
    day = day + 1
  end
  box:snooze(os.time { year = t.year, month = t.month, day = day, hour = morning })
end
