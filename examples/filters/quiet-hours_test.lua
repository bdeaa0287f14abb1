function test_in_the_evening()
  clock("2026-11-20 22:00")
  expect(run("deliver")):snooze("2026-11-21 07:00")
end

function test_early()
  clock("2026-11-20 05:00")
  expect(run("deliver")):snooze("2026-11-20 07:00")
end

function test_on_sundays_and_at_the_end_of_a_month()
  clock("2027-01-31 12:00")
  expect(run("deliver")):snooze("2027-02-01 07:00")
end

function test_by_day_and_what_is_urgent()
  clock("2026-11-20 12:00")
  expect(run("deliver")):nothing()
  clock("2026-11-20 22:00")
  expect(run("deliver", message { subject = "URGENT: water in the cellar" })):nothing()
end

function test_answers_to_oneself()
  clock("2026-11-20 22:00")
  box { threads = { "question@example.org" } }
  expect(run("deliver", message { headers = { ["In-Reply-To"] = "<question@example.org>" } })):nothing()
end
