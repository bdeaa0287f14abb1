-- The string library, as in Lua 5.1.
local function fails(text, f, ...)
  local ok, err = pcall(f, ...)
  assert(not ok and err:find(text, 1, true), "want an error with " .. text .. ", got " .. tostring(err))
end

-- len, sub, byte, char, rep, reverse, lower, upper
assert(#"a\0b" == 3 and ("abc"):len() == 3)
assert(("12345"):sub(2, 4) == "234" and ("12345"):sub(-3) == "345" and ("12345"):sub(0) == "12345")
assert(("12345"):sub(4, 2) == "" and ("12345"):sub(-100, 2) == "12" and ("12345"):sub(2, 100) == "2345")
assert(("12345"):sub("2", 3) == "23" and string.sub(12345, 2, 2) == "2")
assert(("abc"):byte() == 97 and ("abc"):byte(-1) == 99 and ("abc"):byte(10) == nil)
assert(select("#", ("abc"):byte(1, -1)) == 3)
assert(string.char(97, 0, 255) == "a\0\255" and string.char() == "")
fails("invalid value", string.char, 256)
assert(("ab"):rep(3) == "ababab" and ("ab"):rep(0) == "" and ("ab"):rep(-1) == "")
assert(("abc"):reverse() == "cba" and (""):reverse() == "")
assert(("aBc1"):upper() == "ABC1" and ("aBc1"):lower() == "abc1")

-- find
assert(("alo"):find("") == 1 and select(2, ("alo"):find("")) == 0)
assert(("alo"):find("", 10) == 4 and ("alo"):find("al") == 1 and ("alo"):find("x") == nil)
assert(("a.b"):find(".", 1, true) == 2 and ("a.b"):find("%.") == 2)
assert(("a+b"):find("+", 1, true) == 2 and ("aaab"):find("b", -1) == 4)
local from, to, key, value = ("x: key = val"):find("(%w+)%s*=%s*(%w+)")
assert(from == 4 and to == 12 and key == "key" and value == "val")

-- match
assert(("2026-11-22"):match("^(%d+)-(%d+)") == "2026")
assert(("  trim "):match("^%s*(.-)%s*$") == "trim")
assert(("[list] x"):match("%[(.-)%]") == "list")
assert(("abc"):match("()b()") == 2 and ("abc"):match("z") == nil)
assert(("THE (quick) fox"):match("%((%a+)%)") == "quick")
assert(("f(a(b)c)d"):match("%b()") == "(a(b)c)")
assert(("xxuxx"):match("(.)%1") == "x" and ("aXb"):match("%u") == "X")
assert(("a-b"):match("[a%-]+") == "a-" and ("]"):match("[]]") == "]" and ("^"):match("[%^x]") == "^")
assert(("x"):match("[^%s]") == "x" and ("é"):match("%W+") == "é")
assert(("hello"):match("l*", 3) == "ll" and ("hello"):match(".-l") == "hel" and ("a"):match("b?a") == "a")
fails("malformed pattern (missing ']')", string.match, "a", "[a")
fails("malformed pattern (ends with '%')", string.match, "a", "%")
fails("unfinished capture", string.match, "a", "(a")
fails("invalid pattern capture", string.match, "a", "a)")
fails("invalid capture index", string.match, "a", "%1")

-- frontier
assert(("THE (quick) fox"):find("%f[%a]%a+%f[%A]") == 1)
assert(("aaa aa a aaa a"):gsub("%f[%w]%a", "x") == "xaa xa x xaa x")
assert(("[[]] [][] [[[["):gsub("%f[[].", "x") == "x[]] x]x] x[[[")
assert(("01abc45de3"):gsub("%f[%d]", ".") == ".01abc.45de.3")
assert(("function"):gsub("%f[^\1-\255]", ".") == "function.")

-- gsub
assert(("hello world"):gsub("o", "0") == "hell0 w0rld" and select(2, ("hello"):gsub("l", "")) == 2)
assert(("hello"):gsub("", "-") == "-h-e-l-l-o-" and ("abc"):gsub("%w", "%0%0") == "aabbcc")
assert(("abc def"):gsub("(%w+) (%w+)", "%2 %1") == "def abc" and ("aaa"):gsub("a", "b", 2) == "bba")
assert(("$name is $age"):gsub("%$(%w+)", { name = "Bob", age = 7 }) == "Bob is 7")
assert(("abc"):gsub("%w", function(c) return c == "b" and "x" or nil end) == "axc")
assert(("abc"):gsub("^a", "x") == "xbc" and ("aabc"):gsub("^a", "x") == "xabc" and ("a%"):gsub("%%", "%%%%") == "a%%")
fails("invalid replacement value (a table)", string.gsub, "a", "a", function() return {} end)
fails("string, table or function expected", string.gsub, "a", "a", true)

-- gmatch
local words = {}
for w in ("one two  three"):gmatch("%a+") do words[#words + 1] = w end
assert(table.concat(words, ",") == "one,two,three")
local pairs_found = {}
for k, v in ("a=1, b=2"):gmatch("(%w+)=(%w+)") do pairs_found[k] = v end
assert(pairs_found.a == "1" and pairs_found.b == "2")
local positions = 0
for p in ("abc"):gmatch("()") do positions = positions + p end
assert(positions == 1 + 2 + 3 + 4)

-- format
assert(string.format("%d %5d|%-5d|%05d %+d", 1, 2, 3, 4, 5) == "1     2|3    |00004 +5")
assert(string.format("%x %X %#x %o %c", 255, 255, 255, 8, 65) == "ff FF 0xff 10 A")
assert(string.format("%.2f %5.1f %e %g %g", 1.005, 2.25, 12345.678, 0.1, 1e20) == "1.00   2.2 1.234568e+04 0.1 1e+20")
assert(string.format("%s %10s|%-10s|%.2s", "a", "b", "c", "defg") == "a          b|c         |de")
assert(string.format("%s %s %s", nil, true, 1.5) == "nil true 1.5" and string.format("%%") == "%")
assert(string.format("%5s", "é") == "   é" and string.format("%.1s", "é") == "\195")
assert(string.format("%q", 'a "b"\n\\') == '"a \\"b\\"\\\n\\\\"')
fails("no value", string.format, "%d")
fails("number expected", string.format, "%d", "x")
fails("invalid format", string.format, "%y", 1)
fails("invalid format", string.format, "%100d", 1)

-- Errors name the argument and its type.
fails("bad argument #1", string.rep)
fails("string expected, got nil", string.len, nil)
fails("number expected, got table", string.sub, "x", {})

-- ".."
assert("a" .. 1 .. 2.5 .. "b" == "a12.5b" and 1 .. "" == "1" and -0.25 .. "" == "-0.25")
fails("attempt to concatenate a nil value", function() return "a" .. nil end)
fails("attempt to concatenate a table value", function() return {} .. "a" end)
local function two() return "x", "y" end
assert("a" .. two() == "ax" and two() .. "b" == "xb" and #{ "a" .. two() } == 1)
local n = "a"
n = n .. n .. n
assert(n == "aaa")
local function grow(s) s = s .. "!" return s .. "?" end
assert(grow("a") == "a!?" and select("#", grow("a")) == 1)
