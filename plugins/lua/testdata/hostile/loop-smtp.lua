-- expect: instructions|time
-- stage: data
function data(c, m) while true do end end
