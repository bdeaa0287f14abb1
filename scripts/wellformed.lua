-- Refuses mail that no honest program writes: RFC 5322 (3.6) wants exactly one
-- From and one Date, and spam often has none or several.

function data(c, m)
  for _, name in ipairs { "From", "Date" } do
    local n = #m:headers(name)
    if n ~= 1 then
      return reject(550, "5.6.0", "A message has one " .. name .. " field, this one has " .. n)
    end
  end
end
