local function pdf(name)
  return { { name = name, type = "application/pdf" } }
end

function test_invoices()
  expect(run("deliver", message { subject = "Facture 12", attachments = pdf("x.pdf") })):redirect("treasurer@example.org", { copy = true })
  expect(run("deliver", message { subject = "As promised", attachments = pdf("Rechnung-12.pdf") })):redirect()
end

function test_nothing_else()
  expect(run("deliver", message { subject = "Facture 12" })):nothing()
  expect(run("deliver", message { subject = "Pictures", attachments = pdf("garden.pdf") })):nothing()
end
