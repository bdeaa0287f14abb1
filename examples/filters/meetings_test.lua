local lunch = { { starts = "2026-06-16 12:00", ends = "2026-06-16 13:00" } }
local maybe = { { starts = "2026-06-16 12:00", ends = "2026-06-16 13:00", kind = "tentative" } }

local function asked(fields)
  fields.start = fields.start or "2026-06-16 12:30"
  return run("calendar", invitation(fields))
end

function test_a_colleague()
  expect(asked { organizer = "bob@example.org" }):accept()
end

function test_somebody_else_waits()
  expect(asked {}):nothing()
end

function test_busy()
  box { busy = lunch }
  expect(asked { organizer = "bob@example.org" }):decline("I am busy at 12:30")
  expect(asked { organizer = "bob@example.org", start = "2026-06-16 13:00" }):accept()
end

function test_not_sure_is_free()
  box { busy = maybe }
  expect(asked { organizer = "bob@example.org" }):accept()
end

function test_at_night_and_on_sundays()
  expect(asked { organizer = "bob@example.org", start = "2026-06-16 19:00" }):decline("from 8:00 to 18:00")
  expect(asked { organizer = "bob@example.org", start = "2026-06-14 10:00" }):decline("Monday to Friday")
  expect(asked { organizer = "bob@example.org", start = "2026-06-14", all_day = true }):accept()
end

function test_other_messages()
  box { busy = lunch }
  expect(asked { organizer = "bob@example.org", method = "CANCEL" }):nothing()
  expect(asked { organizer = "bob@example.org", method = "" }):nothing()
end
