local good = {
  auth = { spf = "pass", dkim = "pass", dmarc = "pass" },
  subject = "Minutes of the meeting", text = "They are at https://example.net/minutes",
}

local function mail(changes)
  local m = {}
  for key, value in pairs(good) do m[key] = value end
  for key, value in pairs(changes or {}) do m[key] = value end
  return message(m)
end

function test_good_mail()
  expect(run("data", mail())):total(-2):no("reject")
end

function test_forged()
  local out = run("data", mail { auth = { spf = "fail", dkim = "fail", dmarc = "fail" } })
  expect(out):score(2, "SPF_FAIL"):score(0.5, "DKIM_FAIL"):score(3, "DMARC_FAIL"):score("NO_AUTH"):no("reject")
end

function test_no_name()
  expect(run("data", mail(), client { rdns = "" })):score("NO_RDNS")
  expect(run("data", mail(), client { rdns = "", ip = "127.0.0.1" })):total(-2)
end

function test_names_that_are_addresses()
  expect(run("data", mail { from = '"service@bank.example" <x@thief.example>' })):score("NAME_IS_ADDRESS")
  expect(run("data", mail { from = '"bob@example.net" <bob@example.net>' })):no("reject"):total(-2)
end

-- A name that is made to take long to look through does not end the script.
function test_long_names()
  local out = run("data", mail { from = '"' .. ("a"):rep(5000) .. '" <x@thief.example>', auth = { spf = "fail" } })
  expect(out):score("SPF_FAIL")
end

function test_replies_elsewhere()
  expect(run("data", mail { headers = { ["Reply-To"] = "prize@elsewhere.example" } })):score("REPLY_ELSEWHERE")
end

function test_links()
  expect(run("data", mail { text = "Look: http://192.0.2.99/login" })):score("URL_IP")
  expect(run("data", mail { text = "Look: https://xn--pypal-4ve.example/" })):score("URL_IDN")
end

function test_shouting()
  expect(run("data", mail { subject = "YOU HAVE WON A PRIZE" })):score("SHOUTING")
end

function test_old_and_odd_dates()
  clock("2026-12-24 09:00")
  expect(run("data", mail { date = "2020-01-01 10:00" })):score("ODD_DATE")
end

function test_viruses_are_refused()
  expect(run("data", mail { virus = "Eicar", auth = { spf = "none" } })):score(12, "VIRUS"):reject(550, "5.7.1")
end

function test_lists_gain()
  local out = run("data", mail { headers = { ["List-Id"] = "<board.example.net>" } })
  expect(out):score(-1, "LIST"):no("reject")
end

function test_junk()
  expect(run("deliver", mail { spam = { score = 5 } })):fileinto("Junk", { create = true })
  expect(run("deliver", mail { spam = { score = 4.9 } })):nothing()
end

function test_contacts_are_never_junk()
  box { contacts = { ["bob@example.net"] = { written = "2026-01-01" } } }
  expect(run("deliver", mail { from = "bob@example.net", spam = { score = 9 } })):nothing()
  local signed = { dkim = "pass", domains = { "mail.example.net" } } -- and no policy
  expect(run("deliver", mail { from = "bob@example.net", spam = { score = 9 }, auth = signed })):nothing()
end

function test_forged_contacts_are_junk()
  box { contacts = { "bob@example.net" } }
  local function from(auth, score)
    return run("deliver", mail { from = "bob@example.net", reverse_path = "x@thief.example", auth = auth, spam = { score = score } })
  end
  expect(from({ dmarc = "fail" }, 5)):fileinto("Junk")
  expect(from({ spf = "fail" }, 5)):fileinto("Junk")
  expect(from({ dkim = "fail" }, 5)):fileinto("Junk")
  expect(from({ spf = "pass", dkim = "pass", domains = { "thief.example" } }, 8)):fileinto("Junk")
end

-- A domain that proves nothing, as of a small association, has some points more.
function test_contacts_that_prove_nothing()
  box { contacts = { ["bob@example.net"] = { written = "2026-01-01" }, ["eve@example.net"] = { received = "2026-01-01" } } }
  local function from(author, score)
    return run("deliver", mail { from = author, auth = {}, spam = { score = score } })
  end
  expect(from("bob@example.net", 7.5)):nothing()
  expect(from("bob@example.net", 8)):fileinto("Junk")
  expect(from("eve@example.net", 5)):fileinto("Junk")
  expect(from("nobody@example.net", 5)):fileinto("Junk")
end

-- Over LMTP nothing is verified: the server in front has decided whom it believes.
function test_contacts_where_nothing_is_verified()
  box { contacts = { "bob@example.net" } }
  expect(run("deliver", message { from = "bob@example.net", spam = { score = 9 } })):nothing()
end
