-- What a test finds beside what every script has. The functions are those of
-- package trial; here they get their names, and expectations their methods.
local trial = trial

run, message, client, recipient = trial.run, trial.message, trial.client, trial.recipient
login, change, fate, invitation = trial.login, trial.change, trial.fate, trial.invitation
box, clock, dns, answer = trial.box, trial.clock, trial.dns, trial.answer
kv = { get = trial.kv_get, set = trial.kv_set }

local names = trial.expectations()

function expect(what)
  local e = {}
  for _, name in ipairs(names) do
    e[name] = function(self, ...)
      if self ~= e then error("write expect(...):" .. name .. "(...), with a colon", 2) end
      local wrong = trial.check(what, name, ...)
      if wrong then error(wrong, 2) end
      return e
    end
  end
  return e
end
