-- expect: instructions|time
-- stage: rcpt
function rcpt(c, m, r) repeat until false end
