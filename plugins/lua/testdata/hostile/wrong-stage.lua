-- expect: error: redirect is not an action of the stage data
-- stage: data
function data(c, m) redirect("a@example.net") end
