-- What has no prefix, and the language itself.
local function fails(text, f, ...)
  local ok, err = pcall(f, ...)
  assert(not ok and err:find(text, 1, true), "want an error with " .. text .. ", got " .. tostring(err))
end

assert(type(nil) == "nil" and type({}) == "table" and type("") == "string" and type(type) == "function" and type(1) == "number")
assert(tostring(1) == "1" and tostring(-0.5) == "-0.5" and tostring(1e15) == "1e+15" and tostring(123456789012) == "123456789012")
assert(tostring(0.1) == "0.1" and tostring(1 / 3) == "0.33333333333333" and tostring(2 ^ 53) == "9.007199254741e+15")
assert(tostring(1 / 0) == "inf" and tostring(-1 / 0) == "-inf" and tostring(true) == "true" and tostring(nil) == "nil")
assert(tonumber("10") == 10 and tonumber(" 0x1F ") == 31 and tonumber("-1.5e2") == -150 and tonumber("1e") == nil)
assert(tonumber("ff", 16) == 255 and tonumber("777", 8) == 511 and tonumber("zz", 36) == 1295 and tonumber("9", 8) == nil)
assert(tonumber("") == nil and tonumber("0x") == nil and tonumber("inf") == nil and tonumber("nan") == nil and tonumber({}) == nil)
assert(tonumber("1 2") == nil and tonumber("--1") == nil and tonumber("1_000") == nil and tonumber("010") == 10)

-- Errors.
local ok, err = pcall(error, { code = 7 })
assert(not ok and err.code == 7)
assert(select(2, pcall(error, "x", 0)) == "x" and select(2, pcall(error)) == nil)
assert(select(2, pcall(function() error("here") end)):find("^base.lua:%d+: here$"))
local function level2() error("caller", 2) end
local line = select(2, pcall(function()
  level2()
end))
assert(line == "base.lua:23: caller", line)
assert(select(2, pcall(assert, false)) == "assertion failed!" and select(2, pcall(assert, nil, "why")) == "why")
assert(select("#", assert(1, 2, 3)) == 3)
assert(select("#", pcall(function() return 1, nil, nil end)) == 4)
local handled = { xpcall(function() error("deep", 0) end, function(e) return e .. "!" end) }
assert(handled[1] == false and handled[2] == "deep!")
assert(xpcall(function() return true end, error) == true)
assert(xpcall(error, error) == false)

-- After an error was caught, functions and their variables still go together.
local n = 0
local function inc() n = n + 1 end
inc()
pcall(error, "x")
inc()
assert(n == 2, n)
local function outer()
  local v = 1
  local function set() v = v + 1 end
  pcall(function()
    local w = 0
    local function get() return w end
    pcall(function() w = 5 error("inner") end)
    w = w + 1
    assert(get() == 6)
    set()
    pcall(function() return nil + 1 end)
    set()
    error("outer")
  end)
  set()
  return v
end
assert(outer() == 4)
local kept = {}
for i = 1, 3 do
  pcall(function()
    local x = i * 10
    kept[i] = function() x = x + 1 return x end
    error("after the closure")
  end)
end
local a, b, c = 7, 8, 9
assert(kept[1]() == 11 and kept[2]() == 21 and kept[3]() == 31 and kept[1]() == 12)
assert(a == 7 and b == 8 and c == 9)
local deep = {}
local function dig(d)
  local here = d
  deep[d] = function() here = here + 0.5 return here end
  return dig(d + 1) + here
end
assert(not pcall(dig, 1))
local fill = { 1, 2, 3, 4 }
assert(#deep > 50 and deep[1]() == 1.5 and deep[#deep]() == #deep + 0.5 and #fill == 4)

-- Return of a call, without a tail call.
local function many() return 1, 2, 3 end
local function pass() return many() end
assert(select("#", pass()) == 3 and select("#", (pass())) == 1)
local function fact(k, acc) if k == 0 then return acc end return fact(k - 1, acc * k) end
assert(fact(20, 1) == 2432902008176640000)
local function varargs(...) local x, y = ... return select("#", ...), x, y end
assert(select(3, varargs(4, 5, 6)) == 5)
local function shadow(x) x = x .. "1" x = tostring(x) return x end
assert(shadow("a") == "a1")

-- Logic, numbers, loops.
assert((nil and 1) == nil and (false or "x") == "x" and not nil == true)
assert(7 % 3 == 1 and -7 % 3 == 2 and 2 ^ 10 == 1024 and "10" + 5 == 15)
assert("a" < "b" and not ("b" < "a") and "a" ~= "A" and 1 <= 1)
fails("attempt to compare", function() return 1 < "2" end)
fails("add operation", function() return {} + 1 end)
local out = {}
for k = 10, 1, -3 do out[#out + 1] = k end
assert(table.concat(out, " ") == "10 7 4 1")
local w = 0
while true do w = w + 1 if w > 5 then break end end
repeat local last = w w = w - 1 until last < 3
assert(w == 1)
local fs = {}
for k = 1, 3 do fs[k] = function() return k end end
assert(fs[1]() == 1 and fs[3]() == 3)

-- Assignments that use the old value of what they assign to.
local function pick(x, y, s) s = (x or y) and s return s end
assert(pick(1, nil, "s") == "s" and pick(nil, 2, "s") == "s" and pick(nil, nil, "s") == nil)
local function wrap(s) s = (tostring(s) .. "!") return s end
local function swap(s, n) n, s = tostring(s), tostring(n) return s, n end
local function first(n, s) s, n = s:gsub("a", n), 1 return s, n end
assert(wrap(1) == "1!" and swap(1, 2) == "2" and select(2, swap(1, 2)) == "1" and first("x", "banana") == "bxnxnx")

-- Loops whose body or condition begins with a jump.
local seen = 0
for k in pairs { 1, 2, 3 } do break end
for k, v in ipairs { 1, 2, 3 } do if false then seen = 100 else seen = seen + v end end
for k, v in ipairs { 1, 2, 3 } do if nil then end seen = seen + v end
for k, v in ipairs { 1, 2 } do local x = ("s" and false) seen = seen + v end
assert(seen == 15)
local turns = 0
while true do if false then turns = 100 else turns = turns + 1 end if turns == 4 then break end end
while (nil and turns) or turns < 8 do turns = turns + 1 end
while false do turns = 100 end
while not (false or turns > 9) do turns = turns + 1 end
repeat if nil then else turns = turns + 1 end until (false or turns > 12)
repeat until false or true
assert(turns == 13)
