local boss = 'Alice Martin <alice@example.net>'

function test_first_mail_is_tagged()
  expect(run("deliver", message { from = "new@example.net" })):flag("$Newcomer"):count(1)
end

function test_known_people_are_not()
  box { contacts = { ["alice@example.net"] = { received = "2026-01-01" } } }
  expect(run("deliver", message { from = boss })):nothing()
end

function test_who_stands_in_an_address_book_is_known()
  box { contacts = { "alice@example.net" } }
  expect(run("deliver", message { from = boss })):nothing()
  expect(run("deliver", message { from = '"Alice Martin" <boss@freemail.example>' })):flag("$Newcomer"):subject_prefix("[name of a known person]")
end

-- Who was written to is not new, though nothing proves that the answer is theirs; their name is
-- learnt from mail that is proven.
function test_unproven_people()
  box { contacts = { ["alice@example.net"] = { written = "2026-01-02" } } }
  expect(run("deliver", message { from = boss, auth = {} })):nothing()
  expect(run("deliver", message { from = '"Alice Martin" <boss@freemail.example>' })):flag("$Newcomer"):count(1)
  expect(run("deliver", message { from = boss, auth = { dmarc = "pass" } })):nothing()
  expect(run("deliver", message { from = '"Alice Martin" <boss@freemail.example>' })):flag("$Newcomer"):subject_prefix("[name")
end

function test_a_newcomer_with_a_known_name()
  box { contacts = { ["alice@example.net"] = { received = "2026-01-01", written = "2026-01-02" } } }
  expect(run("deliver", message { from = boss })):nothing()
  local out = run("deliver", message { from = '"alice  MARTIN" <boss@freemail.example>' })
  expect(out):flag("$Newcomer"):subject_prefix("[name of a known person]"):add_header("X-Newcomer", "alice@example.net")
end

-- A name that is made to take long to look through, or to be remembered, does not end the script.
function test_long_names()
  for _, name in ipairs { "a" .. ("\t "):rep(4000) .. "b", ("a "):rep(2000) } do
    expect(run("deliver", message { from = '"' .. name .. '" <new@example.net>' })):flag("$Newcomer")
  end
end

function test_lists_are_left_alone()
  expect(run("deliver", message { from = "new@example.net", headers = { ["List-Id"] = "<x.example>" } })):nothing()
end
