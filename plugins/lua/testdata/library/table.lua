-- Tables, as in Lua 5.1.
local function fails(text, f, ...)
  local ok, err = pcall(f, ...)
  assert(not ok and err:find(text, 1, true), "want an error with " .. text .. ", got " .. tostring(err))
end

-- Constructors and stores.
local t = { 1, 2, x = "y", [3] = 3, [2 ^ 40] = "far", [1.5] = "half", [true] = "yes" }
assert(#t == 3 and t.x == "y" and t[2 ^ 40] == "far" and t[1.5] == "half" and t[true] == "yes")
local function three() return 1, 2, 3 end
assert(#{ three() } == 3 and #{ three(), three() } == 4 and #{ (three()) } == 1 and #{ three(), nil } == 1)
local function count(...) return #{ ... }, select("#", ...) end
assert(count(1, 2, 3) == 3 and select(2, count(nil, nil)) == 2)
local i, a = 1, {}
i, a[i] = i + 1, 20
assert(i == 2 and a[1] == 20 and a[2] == nil)
local p, q = { 1, 2 }, 2
p[1], p[q] = p[q], p[1]
assert(p[1] == 2 and p[2] == 1)
local b = {}
b[three()], b.x, b[q] = three()
assert(b[1] == 1 and b.x == 2 and b[2] == 3)
b[q], b.y = 5
assert(b[2] == 5 and b.y == nil)
local calls = 0
local function next_call() calls = calls + 1 return calls end
b[next_call()] = next_call()
assert(b[1] == 2 and calls == 2)
b[next_call()] = "x", next_call()
assert(b[3] == "x" and calls == 4)
local o = { p = { q = {} } }
o.p.q[#o.p.q + 1] = "in"
o.p["q" .. 1] = "q1"
assert(o.p.q[1] == "in" and o.p.q1 == "q1")
a = {}
for k = 1, 100 do a[k] = k end
for k = 1, 100 do a[k] = nil end
assert(#a == 0 and next(a) == nil)
a[5] = nil
assert(#a == 0)
fails("table index is nil", function() a[nil] = 1 end)
fails("table index is NaN", function() a[0 / 0] = 1 end)
fails("attempt to index", function() local z z[q] = 1 end)
fails("attempt to index", function() return a.x.y end)
fails("attempt to index", function() local z = 1 z[q] = 1 end)

-- insert, remove
t = {}
table.insert(t, "a")
table.insert(t, 1, "b")
table.insert(t, 2, "c")
table.insert(t, 4, "d")
assert(table.concat(t) == "bcad")
assert(table.remove(t) == "d" and table.remove(t, 1) == "b" and table.concat(t) == "ca")
assert(table.remove({}) == nil and table.remove(t, 5) == nil and table.remove(t, 2) == "a" and #t == 1)
fails("position out of bounds", table.insert, t, 5, "x")
fails("wrong number of arguments", table.insert, t)

-- concat
assert(table.concat({ 1, 2, "x" }, ", ") == "1, 2, x" and table.concat({}) == "" and table.concat({ 1, 2, 3 }, "-", 2, 3) == "2-3")
fails("item 2 is a table", table.concat, { 1, {} })

-- sort
t = { 5, 2, 8, 1, 9, 3 }
table.sort(t)
assert(table.concat(t, " ") == "1 2 3 5 8 9")
table.sort(t, function(x, y) return x > y end)
assert(table.concat(t, " ") == "9 8 5 3 2 1")
t = { "b", "a", "C" }
table.sort(t)
assert(table.concat(t) == "Cab")

-- pairs, ipairs, next, unpack, select
local keys = 0
for k, v in pairs { 1, 2, x = 3, y = 4 } do keys = keys + 1 end
assert(keys == 4)
local sum = 0
for k, v in ipairs { 10, 20, nil, 40 } do sum = sum + k * v end
assert(sum == 50)
local gone = { a = 1, b = 2, c = 3 }
for k in pairs(gone) do gone[k] = nil end
assert(next(gone) == nil)
assert(unpack({ 1, 2, 3 }, 2) == 2 and select("#", unpack({}, 1, 3)) == 3 and select("#", unpack({})) == 0)
assert(select(2, "a", "b", "c") == "b" and select(-1, "a", "b") == "b" and select("#") == 0 and select("#", nil, nil) == 2)
fails("index out of range", select, 0)
fails("table expected, got nil", pairs)

-- Keys among many items, and calls as values of keys.
local big = { x = three(), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25,
  26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, y = "y", ["z" .. 1] = three() }
assert(#big == 50 and big[1] == 1 and big[50] == 50 and big.x == 1 and big.y == "y" and big.z1 == 1)
assert(#{ 1, x = three() } == 1 and #{ x = 1, three() } == 3 and #{ three(), x = 1 } == 1)

-- An assignment takes all its values before it stores one.
local a1, a2 = 1, 2
a1, a2 = a1 + a2, a1
assert(a1 == 3 and a2 == 1)
a1, a2 = not a2, a1
assert(a1 == false and a2 == 3)
a1, a2 = a2, a1
assert(a1 == 3 and a2 == false)
