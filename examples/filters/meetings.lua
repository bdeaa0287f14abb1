-- Answers invitations: what collides with the calendar, or is at night or at a weekend, is
-- declined; what people of one's own domain ask for is accepted. All else waits for oneself.
-- When one is free others see by themselves: a calendar tells it without a script.

local from, to = 8, 18 -- hours

function calendar(event, box)
  if event.method ~= "REQUEST" or not event.starts then
    return
  end
  local own = box.address:match("@.*$")
  local t = os.date("*t", event.starts)
  if not event.all_day and (t.hour < from or t.hour >= to or t.wday == 1 or t.wday == 7) then
    return box:decline(("I am there from %d:00 to %d:00, Monday to Friday"):format(from, to))
  end
  for _, taken in ipairs(box:busy(event.starts, event.ends) or {}) do
    if taken.kind ~= "tentative" then
      return box:decline("I am busy at " .. os.date("%H:%M", taken.starts))
    end
  end
  if event.organizer:sub(-#own) == own then
    box:accept()
  end
end
