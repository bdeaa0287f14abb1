-- Answers while one is away, in the language of the message, and sends urgent mail on to
-- a colleague. All that RFC 3834 asks for is done by vacation: no answer to lists, to
-- machines, to spam, and one for each sender in a week.
--
-- For one account: copy it, change it, and name it in the account's scripts. Without
-- the languages the keys vacation.text, .start and .stop in mail.toml do the same.

local START, STOP = "2026-12-20", "2027-01-04" -- both days included
local COLLEAGUE = nil                          -- "bob@example.org" gets what is urgent

local TEXTS = {
  en = "I am away until 4 January, and read mail again on the 5th.",
  fr = "Je suis absente jusqu'au 4 janvier, et je lirai mon courrier le 5.",
  de = "Ich bin bis zum 4. Januar nicht da und lese wieder am 5. meine Mail.",
}

-- Small words that each language has many of.
local WORDS = {
  fr = { "le", "la", "les", "des", "est", "vous", "pour", "bonjour", "merci" },
  de = { "der", "die", "das", "und", "ist", "nicht", "für", "hallo", "danke" },
}

local function language(m)
  local text = " " .. (m.subject .. " " .. m:text(4000)):lower():gsub("[%s%p]+", " ") .. " "
  local best, most = "en", 1
  for _, code in ipairs { "fr", "de" } do
    local n = 0
    for _, word in ipairs(WORDS[code]) do
      local _, times = text:gsub(" " .. word .. " ", "%0")
      n = n + times
    end
    if n > most then
      best, most = code, n
    end
  end
  return best
end

function deliver(m, box)
  box:vacation { text = TEXTS[language(m)], start = START, stop = STOP, handle = "away " .. START }
  local today = date("%Y-%m-%d")
  if COLLEAGUE and today >= START and today <= STOP and m.subject:lower():find("urgent", 1, true) then
    box:redirect(COLLEAGUE, { copy = true })
  end
end
