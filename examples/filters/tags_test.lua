function test_words()
  expect(run("deliver", message { subject = "Invoice", text = "before the meeting" })):flag("$Money"):flag("$Meeting"):count(2)
  expect(run("deliver", message { subject = "Hello" })):nothing()
end
