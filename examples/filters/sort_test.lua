function test_list()
  expect(run("deliver", message { headers = { ["List-Id"] = "<golang-nuts.googlegroups.com>" } })):fileinto("Lists/Go")
end

function test_sender()
  expect(run("deliver", message { from = "Shop@example.net", subject = "Your invoice" })):fileinto("Shopping"):count(1)
end

function test_subject()
  expect(run("deliver", message { subject = "Invoice 17" })):fileinto("Invoices")
  expect(run("deliver", message { subject = "Hello" })):nothing()
end
