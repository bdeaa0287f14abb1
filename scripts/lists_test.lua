function test_list_gets_its_folder()
  local out = run("deliver", message { headers = { ["List-Id"] = "Board of the club <board.example.org>" } })
  expect(out):fileinto("Lists/board", { create = true })
end

function test_other_mail_stays()
  expect(run("deliver", message { subject = "Hello" })):nothing():kept()
end
