function test_people()
  expect(run("deliver", message { from = "Carol@example.net" })):flag("\\Flagged")
end

function test_machines()
  expect(run("deliver", message { headers = { ["Auto-Submitted"] = "auto-generated" } })):flag { "\\Seen", "$Automatic" }
  expect(run("deliver", message { headers = { ["Auto-Submitted"] = "no" } })):nothing()
end
