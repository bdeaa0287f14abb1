function test_strangers_per_address()
  for _ = 1, 60 do
    expect(run("rcpt", recipient("me@example.org"))):nothing()
  end
  expect(run("rcpt", recipient("me@example.org"))):tempfail(450, "4.7.1")
  expect(run("rcpt", recipient("you@example.org"))):nothing()
  expect(run("rcpt", recipient("me@example.org"), client { ip = "198.51.100.9" })):nothing()
  clock("+2 hours")
  expect(run("rcpt", recipient("me@example.org"))):nothing()
end

function test_ipv6_networks_count_as_one()
  for i = 1, 61 do
    local out = run("rcpt", recipient("me@example.org"), client { ip = "2001:db8:1:2::" .. i })
    if i == 61 then
      expect(out):tempfail()
    end
  end
end

function test_our_own_users_are_not_counted()
  for _ = 1, 70 do
    expect(run("rcpt", recipient("me@example.org"), client { user = "bob@example.org" })):nothing()
  end
end

function test_logins()
  for _ = 1, 200 do
    expect(run("auth", login { account = "bob@example.org" })):nothing()
  end
  expect(run("auth", login { account = "bob@example.org" })):reject()
  expect(run("auth", login { account = "carol@example.org" })):nothing()
end
