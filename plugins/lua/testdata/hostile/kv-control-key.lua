-- expect: ok
function deliver(m, box)
  kv.set("\0\r\n' OR 1=1; --", "\0") assert(kv.get("\0\r\n' OR 1=1; --") == "\0")
end
