-- Included by rule 40 of sieve.md: the colour that a subject names.

function colour(m)
  for _, name in ipairs { "red", "green", "blue" } do
    if m.subject:lower():find(name, 1, true) then
      return name
    end
  end
  return "other"
end
