function test_english()
  clock("2026-12-24 09:00")
  expect(run("deliver", message { subject = "A question", text = "When are you back?" }))
    :vacation { text = "I am away", start = "2026-12-20", stop = "2027-01-04" }:kept()
end

function test_french()
  expect(run("deliver", message { subject = "Bonjour", text = "Est-ce que vous avez reçu la lettre pour les membres?" }))
    :vacation { text = "Je suis absente" }
end

function test_german()
  expect(run("deliver", message { subject = "Hallo", text = "Ist die Rechnung für das Fest nicht gekommen?" }))
    :vacation { text = "Ich bin" }
end

function test_nothing_is_sent_on_without_a_colleague()
  clock("2026-12-24 09:00")
  expect(run("deliver", message { subject = "urgent" })):no("redirect")
end
