-- math and os.
assert(math.floor(-1.5) == -2 and math.ceil(1.2) == 2 and math.abs(-3) == 3 and math.sqrt(16) == 4)
assert(math.max(1, 5, 3) == 5 and math.min(4, 2, 8) == 2 and math.fmod(7, 3) == 1 and math.fmod(-7, 3) == -1 and math.pow(2, 8) == 256)
assert(math.modf(3.7) == 3 and math.huge > 2 ^ 1000 and math.floor(math.pi * 100) == 314)
assert(math.log(1) == 0 and math.exp(0) == 1 and math.log10(1000) == 3)
for i = 1, 100 do
  local r, d, e = math.random(), math.random(6), math.random(3, 5)
  assert(r >= 0 and r < 1 and d >= 1 and d <= 6 and d % 1 == 0 and e >= 3 and e <= 5)
end
assert(not pcall(math.random, 0) and not pcall(math.random, 2, 1) and not pcall(math.floor, "x"))

-- The clock stands at the time of the call, in the server's zone: 2026-11-22 10:30, UTC+1.
assert(os.time() == 1795339800, os.time())
assert(os.time { year = 2026, month = 11, day = 22, hour = 10, min = 30 } == os.time())
assert(os.date("%Y-%m-%d %H:%M:%S %z") == "2026-11-22 10:30:00 +0100")
assert(os.date("!%H:%M") == "09:30" and os.date("%A %a %B %b %j %w %p %I %y %%") == "Sunday Sun November Nov 326 0 AM 10 26 %")
assert(os.date("%c", 0) == "Thu Jan  1 01:00:00 1970" and os.date("!%x %X", 0) == "01/01/70 00:00:00")
local t = os.date("*t")
assert(t.year == 2026 and t.month == 11 and t.day == 22 and t.hour == 10 and t.min == 30 and t.sec == 0 and t.wday == 1 and t.yday == 326 and t.isdst == false)
assert(os.time(t) == os.time() and os.date("!*t", 0).year == 1970)
assert(not pcall(os.date, "%Q") and not pcall(os.date, "%") and not pcall(os.time, {}) and not pcall(os.time, { year = 1e9, month = 1, day = 1 }))
assert(not pcall(os.date, "%Y", 1e18) and not pcall(os.date, "%Y", 0 / 0))
