function test_subject()
  expect(run("deliver", message { subject = "Next REHEARSAL" })):redirect("bob@example.org", { copy = true }):kept()
  expect(run("deliver", message { subject = "Lunch?" })):nothing()
end
