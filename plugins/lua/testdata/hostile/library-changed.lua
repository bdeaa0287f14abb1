-- expect: error: string is read only
function deliver(m, box)
  string.len = nil
end
