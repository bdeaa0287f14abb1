function test_gone()
  expect(run("rcpt", recipient("Sales@example.org"))):reject(550, "5.1.1")
  expect(run("rcpt", recipient("anything@example.org"))):nothing()
end
