-- expect: error: discard is not an action of the stage rcpt
-- stage: rcpt
function rcpt(c, m, r) discard() end
