function test_people_one_has_written_to()
  box { contacts = { ["bob.x@example.net"] = { written = "2026-01-01" } } }
  expect(run("deliver", message { from = "Bob.X@example.net" })):fileinto("From/bob-x", { create = true })
end

function test_strangers()
  expect(run("deliver", message { from = "eve@example.net" })):nothing()
end
