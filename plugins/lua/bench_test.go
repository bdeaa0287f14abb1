package lua

import (
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
