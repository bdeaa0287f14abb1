function test_the_room_is_told()
  answer("http.request", { status = 200 })
  expect(run("deliver", message { subject = "Hello" })):nothing():kept()
end

function test_mail_comes_without_it()
  expect(run("deliver", message { subject = "Hello" })):nothing():kept():logged("the chat room was not told")
end
