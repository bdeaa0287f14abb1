local function with(name)
  return message { attachments = { { name = name } } }
end

function test_programs()
  expect(run("data", with("Invoice.EXE"))):reject(550, "5.7.1", "Invoice.EXE")
  expect(run("data", with("photo.jpg.js"))):reject()
  expect(run("data", with("photo.scr. "))):reject()
end

-- What is said of a name can't keep it from being refused.
function test_odd_names()
  for _, name in ipairs { ("a"):rep(99) .. "é.exe", "a\194\133.exe", "a\1\n.exe", ("x"):rep(900) .. ".exe", "a" .. (" "):rep(6000) .. "b.exe" } do
    expect(run("data", with(name))):reject(550, "5.7.1")
  end
end

function test_macros()
  expect(run("data", with("prices.xlsm"))):reject()
end

function test_good_files()
  for _, name in ipairs { "photo.jpg", "letter.pdf", "executive.txt", "prices.xlsx", "noextension" } do
    expect(run("data", with(name))):nothing()
  end
end

function test_our_own_users_too()
  expect(run("submit", with("tool.bat"))):reject()
  expect(run("submit", message { text = "Hello" })):nothing()
end

-- tools/setup.exe in a zip file, and one with a password.
local zip = [[
From: a@example.net
Subject: a zip file
MIME-Version: 1.0
Content-Type: application/zip; name="FILE"
Content-Disposition: attachment; filename="FILE"
Content-Transfer-Encoding: base64

DATA
]]

function test_in_archives()
  local data = "UEsDBAoAAAAAAAAAIQAAAAAAAAAAAAAAAAAPAAAAdG9vbHMvc2V0dXAuZXhlUEsBAhQACgAAAAAAAAAhAAAA" ..
    "AAAAAAAAAAAAAA8AAAAAAAAAAAAAAAAAAAAAAHRvb2xzL3NldHVwLmV4ZVBLBQYAAAAAAQABAD0AAAAtAAAAAAA="
  local m = message { raw = (zip:gsub("FILE", "files.zip"):gsub("DATA", data)) }
  expect(run("data", m)):reject("tools/setup.exe")
end

function test_with_a_password()
  local data = "UEsDBAoAAQAAAAAAIQAAAAAAAAAAAAAAAAAIAAAAbm90ZS50eHRQSwECFAAKAAEAAAAAACEAAAAAAAAAAAAA" ..
    "AAAACAAAAAAAAAAAAAAAAAAAAAAAbm90ZS50eHRQSwUGAAAAAAEAAQA2AAAAJgAAAAAA"
  local m = message { raw = (zip:gsub("FILE", "notes.zip"):gsub("DATA", data)) }
  expect(run("data", m)):reject("needs a password")
end
