-- expect: error: m.header is not known at the stage rcpt
-- stage: rcpt
function rcpt(c, m, r) return m:header("Subject") end
