local function list(id)
  return message { headers = { ["List-Id"] = id } }
end

function test_lists()
  expect(run("deliver", list("The board <board.lists.example.org>"))):fileinto("Lists/Board", { create = true })
  expect(run("deliver", list("golang-nuts.googlegroups.com"))):fileinto("Lists/Golang-nuts")
end

function test_a_list_without_a_usable_name()
  expect(run("deliver", list("<../..>"))):nothing():kept()
end

function test_plus_addresses_come_first()
  local m = message { recipients = "me+shop@example.org", headers = { ["List-Id"] = "<board.example.org>" } }
  expect(run("deliver", m)):fileinto("Shop"):count(1)
end

function test_odd_plus_addresses()
  expect(run("deliver", message { recipients = "me+x/y@example.org" })):fileinto("Xy")
  expect(run("deliver", message { recipients = "me+%@example.org" })):nothing()
end

function test_newsletters()
  local m = message { from = "news@shop.example", headers = { ["List-Unsubscribe"] = "<https://shop.example/off>" } }
  expect(run("deliver", m)):fileinto("Newsletters")
  box { contacts = { ["news@shop.example"] = { written = "2026-01-01" } } }
  expect(run("deliver", m)):nothing()
end

function test_all_else_stays()
  expect(run("deliver", message { subject = "Hello" })):nothing():kept()
end
