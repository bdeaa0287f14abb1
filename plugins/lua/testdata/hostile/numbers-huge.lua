-- expect: ok
function deliver(m, box)
  local n = 10^308 * 10
  assert(n == math.huge and tostring(-n) == "-inf" and tostring(0/0) == "nan" and ("x"):rep(-n) == "" and ("abc"):sub(-n, n) == "abc")
end
