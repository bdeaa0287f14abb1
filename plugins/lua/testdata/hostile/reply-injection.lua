-- expect: ok
-- stage: data
function data(c, m) reject(550, "5.7.1", "no\r\n250 ok") end
