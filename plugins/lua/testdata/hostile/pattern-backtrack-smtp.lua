-- expect: instructions|time
-- stage: data
function data(c, m)
  return ("a"):rep(30000):find(".-.-.-.-.-.-b")
end
