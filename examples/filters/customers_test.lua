function test_a_folder_each()
  expect(run("deliver", message { recipients = "shop+Acme@example.org" })):fileinto("Customers/acme", { create = true })
  expect(run("deliver", message { recipients = "shop@example.org" })):nothing()
end

function test_closed()
  local old = recipient { original = "shop+oldcustomer@example.org", address = "shop@example.org", detail = "OldCustomer" }
  expect(run("rcpt", old)):reject(550, "5.1.1")
  expect(run("rcpt", recipient { original = "shop+acme@example.org", address = "shop@example.org", detail = "acme" })):nothing()
end
