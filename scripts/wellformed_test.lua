function test_good_mail()
  expect(run("data", message { subject = "Hello" })):nothing()
end

function test_two_authors_fields()
  local raw = "From: a@example.net\nFrom: b@example.net\nDate: Sun, 22 Nov 2026 10:00:00 +0000\n\nHi\n"
  expect(run("data", message { raw = raw })):reject(550, "5.6.0", "one From field")
end

function test_no_date()
  expect(run("data", message { raw = "From: a@example.net\n\nHi\n" })):reject("one Date field")
end
