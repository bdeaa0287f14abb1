function test_newsletters()
  local m = message { headers = { Precedence = "bulk", ["List-Unsubscribe"] = "<https://x.example>" } }
  expect(run("deliver", m)):discard():gone()
end

function test_nearly_full()
  box { quota = { used = 9500000, max = 10000000 } }
  expect(run("deliver", message { size = 2000000 })):fileinto("Large"):add_header("X-Filed", "2.0 MB, 95%")
  expect(run("deliver", message { size = 1000 })):nothing()
end

function test_room_enough()
  box { quota = { used = 100, max = 10000000 } }
  expect(run("deliver", message { size = 2000000 })):nothing()
end
