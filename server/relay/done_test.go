package relay

import (
	"sync"
	"testing"

	"facteur/server/testkit"
)

// TestDone: who is done is told before the next server is tried for the others, and
// nobody is told of when there are none.
func TestDone(t *testing.T) {
	var mu sync.Mutex
	var told []map[int]Result
	tell := func(done map[int]Result) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, done)
	}
	first := testkit.NewPeer(t, testkit.PeerOptions{Answer: func(s testkit.Stage, line string) string {
		switch {
		case s == testkit.Rcpt && line == "TO:<later@two.example>":
			return "450 4.2.1 Later"
		case s == testkit.Rcpt && line == "TO:<nobody@two.example>":
			return "550 5.1.1 Nobody"
		}
		return ""
	}})
	second := testkit.NewPeer(t, testkit.PeerOptions{Answer: func(s testkit.Stage, _ string) string {
		mu.Lock()
		defer mu.Unlock()
		if s == testkit.Greeting && (len(told) != 1 || len(told[0]) != 2 || told[0][1].Fault != nil || told[0][2].Fault == nil) {
			t.Errorf("when the second server is asked, this was told: %+v", told)
		}
		return ""
	}})
	w := newWorld(t, map[string]*testkit.Peer{"192.0.2.1": first, "192.0.2.2": second})
	w.dns.Set(t, `
two.example. MX 1 mx1.two.example.
two.example. MX 2 mx2.two.example.
mx1.two.example. A 192.0.2.1
mx2.two.example. A 192.0.2.2`)
	m := mail("two.example", "later", "a", "nobody")
	m.Done = tell
	if got := brief(w.relay.Attempt(t.Context(), m)); got != "ok, ok, 550 5.1.1 mx1.two.example" || len(told) != 1 {
		t.Errorf("%s, told of %+v", got, told)
	}

	told = nil
	m = mail("two.example", "a", "nobody")
	m.Done = tell
	if got := brief(w.relay.Attempt(t.Context(), m)); got != "ok, 550 5.1.1 mx1.two.example" || told != nil {
		t.Errorf("%s, told of %+v", got, told)
	}
}
