-- expect: error: stack overflow
function deliver(m, box)
  local function f() re.gsub("a", "a", f) end
  f()
end
