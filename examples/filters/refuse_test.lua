function test_for_everybody()
  expect(run("rcpt", message { from = "x@spam.example" })):reject(550, "5.7.1")
end

function test_for_one_address()
  local shop = message { from = "news@shop.example" }
  expect(run("rcpt", shop, recipient("info@example.org"))):reject()
  expect(run("rcpt", shop, recipient("alice@example.org"))):nothing()
end
