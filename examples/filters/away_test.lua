function test_workdays_of_the_holiday()
  clock("2026-12-21 10:00") -- a Monday
  expect(run("deliver")):redirect("bob@example.org", { copy = true })
end

function test_weekends_and_other_times()
  clock("2026-12-26 10:00")
  expect(run("deliver")):nothing()
  clock("2027-01-04 10:00")
  expect(run("deliver")):nothing()
end

function test_lists()
  clock("2026-12-21 10:00")
  expect(run("deliver", message { headers = { ["List-Id"] = "<x.example>" } })):nothing()
end
