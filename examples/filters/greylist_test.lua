function test_servers_with_a_name()
  expect(run("rcpt", client { ip = "192.0.2.7", rdns = "mx.example.net", helo = "mx.example.net" })):nothing()
end

function test_suspicious_ones()
  expect(run("rcpt", client { ip = "192.0.2.7", rdns = "" })):greylist(300)
  expect(run("rcpt", client { ip = "192.0.2.7", rdns = "mx.example.net", helo = "windows" })):greylist(300)
  expect(run("rcpt", client { ip = "192.0.2.7", rdns = "dsl-192-0-2-7.example.net", helo = "a.example" })):greylist(300)
  expect(run("rcpt", client { ip = "192.0.2.7", rdns = "7.2.0.192.example.net", helo = "a.example" })):greylist(300)
end

function test_our_own_users()
  expect(run("rcpt", client { user = "bob@example.org", rdns = "" })):nothing()
end
