package lua

import (
	"runtime/metrics"
	"testing"
	"time"

	"facteur/server/hook"
)

const smallScript = `
local lists = { ["golang-nuts"] = "Lists/Go", board = "Lists/Board" }

function deliver(m, box)
  local list = m:header("List-Id"):match("<([%w-]+)")
  if list and lists[list] then
    return box:fileinto(lists[list], { create = true })
  end
  if m.subject:lower():find("invoice", 1, true) then
    box:flag("\\Flagged")
  end
end
`

func benchmarkHost() *Host { return New(Options{Limits: Limits{Hourly: 1000 * time.Hour}}) }

func BenchmarkDeliver(b *testing.B) {
	s := mustCompile(b, benchmarkHost(), smallScript)
	call := testCall(hook.Deliver)
	b.ReportAllocs()
	for b.Loop() {
		if out := s.Run(b.Context(), call); out.Err != nil || len(out.Actions) != 1 {
			b.Fatal(out.Err)
		}
	}
}

func BenchmarkDeliverParallel(b *testing.B) {
	s := mustCompile(b, benchmarkHost(), smallScript)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		call := testCall(hook.Deliver)
		for pb.Next() {
			if out := s.Run(b.Context(), call); out.Err != nil || len(out.Actions) != 1 {
				b.Fatal(out.Err)
			}
		}
	})
}

// BenchmarkInstructions is what a million instructions take.
func BenchmarkInstructions(b *testing.B) {
	s := mustCompile(b, benchmarkHost(), "function deliver() for i = 1, 1e6 do end end")
	for b.Loop() {
		if out := s.Run(b.Context(), testCall(hook.Deliver)); out.Err != nil {
			b.Fatal(out.Err)
		}
	}
}

// BenchmarkSearch looks through a text of 64 kB with a pattern.
func BenchmarkSearch(b *testing.B) {
	s := mustCompile(b, benchmarkHost(), `function deliver(m, box) assert(not m:text():find("w[i1]nn?er")) end`)
	call := testCall(hook.Deliver)
	text := make([]byte, 64<<10)
	for i := range text {
		text[i] = "the quick brown fox "[i%20]
	}
	call.Message.Content = content{text: string(text)}
	for b.Loop() {
		if out := s.Run(b.Context(), call); out.Err != nil {
			b.Fatal(out.Err)
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	h := benchmarkHost()
	for b.Loop() {
		mustCompile(b, h, smallScript)
	}
}

// Three scripts such as a delivery runs: one of the server, of the domain and of
// the account.
var realistic = []string{`
local scores = { ["X-Spam-Flag"] = 3, ["X-Bulk"] = 1 }
local words = { "lottery", "viagra", "wire transfer", "click here" }

local function add(points, rule, why)
  trace(rule .. ": " .. points .. " " .. why)
  return points
end

function deliver(m, box)
  local sum = 0
  if m.auth.dmarc == "fail" then sum = sum + add(4, "DMARC_FAIL", "the author's domain says no") end
  if m.auth.spf ~= "pass" and m.auth.dkim ~= "pass" then sum = sum + add(2, "NO_AUTH", "neither SPF nor DKIM") end
  for name, points in pairs(scores) do
    if m:header(name) ~= "" then sum = sum + add(points, "HEADER", name) end
  end
  local text = m:text(4096):lower()
  for _, w in ipairs(words) do
    if text:find(w, 1, true) then sum = sum + add(1, "WORD", w) end
  end
  if re.match(m.subject, "(?i)\\b(free|win(ner)?|urgent)\\b") then sum = sum + add(1.5, "SUBJECT", m.subject) end
  if sum > 5 then box:fileinto("Junk", { create = true }) end
end
`, `
local lists = { ["golang-nuts"] = "Lists/Go", board = "Lists/Board", news = "News" }
local people = { "carol@elsewhere.net", "dave@elsewhere.net" }

local function contains(list, x)
  for _, v in ipairs(list) do if v == x then return true end end
  return false
end

function deliver(m, box)
  local id = m:header("List-Id"):match("<([%w-]+)")
  if id and lists[id] then return box:fileinto(lists[id], { create = true }) end
  local from = m:addresses("From")[1] or m.from
  if contains(people, from) then box:flag("$friend") end
  local detail = box.address:match("%+([^@]+)@")
  if detail then box:fileinto("Plus/" .. detail, { create = true }) end
  if m.subject:lower():find("invoice", 1, true) then box:flag("\\Flagged") end
end
`, `
local quiet = { from = 22, to = 7 }

function deliver(m, box)
  local hour = tonumber(date("%H"))
  if hour >= quiet.from or hour < quiet.to then box:flag("$quiet") end
  if duplicate("id " .. hash.sha256(m:header("Message-ID"))) then return box:discard() end
  local n = kv.get("count") or 0
  kv.set("count", n + 1, { ttl = "30 days" })
  if cidr("192.0.2.7", { "10.0.0.0/8", "192.0.2.0/24" }) then box:add_header("X-Net", "known") end
end
`}

func realisticHooks(b *testing.B) []hook.Hook {
	h := benchmarkHost()
	var hooks []hook.Hook
	for _, source := range realistic {
		hooks = append(hooks, hook.Hook{Program: mustCompile(b, h, source)})
	}
	return hooks
}

// reportCPU adds the CPU time of an operation to a benchmark: what it takes on a
// machine that does other things, too. And how long others were waited for.
func reportCPU(b *testing.B) (report func()) {
	waited := func() time.Duration {
		s := []metrics.Sample{{Name: "/sync/mutex/wait/total:seconds"}}
		metrics.Read(s)
		return time.Duration(s[0].Value.Float64() * 1e9)
	}
	cpu, mutex := cpuTime(), waited()
	return func() {
		b.ReportMetric(float64(cpuTime()-cpu)/float64(b.N), "cpu-ns/op")
		b.ReportMetric(float64(waited()-mutex)/float64(b.N), "locked-ns/op")
	}
}

func runThree(b *testing.B, hooks []hook.Hook, call hook.Call) {
	res := hook.Run(b.Context(), hooks, call)
	if len(res.Failures) > 0 || len(res.Actions) == 0 {
		b.Fatal(res.Failures)
	}
	res.Cancel()
}

// BenchmarkThree is what three scripts of a delivery take.
func BenchmarkThree(b *testing.B) {
	hooks, call := realisticHooks(b), serving(hook.Deliver, idleKV{})
	b.ReportAllocs()
	defer reportCPU(b)()
	for b.Loop() {
		runThree(b, hooks, call)
	}
}

// BenchmarkThreeParallel shows how that scales: run it with -cpu 1,2.
func BenchmarkThreeParallel(b *testing.B) {
	hooks := realisticHooks(b)
	b.ReportAllocs()
	defer reportCPU(b)()
	b.RunParallel(func(pb *testing.PB) {
		call := serving(hook.Deliver, idleKV{})
		for pb.Next() {
			runThree(b, hooks, call)
		}
	})
}
