package limit

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestPlanned: whoever saves up what a table allows, day after day, for one moment, gets
// no more out around it than the table allows there, and nothing else beside it.
func TestPlanned(t *testing.T) {
	s := newSending(t, Defaults())
	start := at(t, "Mon 2026-11-02 12:00")
	moment := at(t, "Tue 2026-12-01 12:00")
	leave := make(map[time.Time]int)
	for day := range 29 {
		for i := range 40 {
			now := start.Add(time.Duration(day)*24*time.Hour + time.Duration(i)*12*time.Minute)
			to := moment.Add(time.Duration(i*day%600) * time.Second)
			if v := s.Take(Submission{Account: alice, Client: home, Recipients: 25, At: to}, now); v.Action == Accept {
				leave[to] += 25
			} else if v.Action == Refuse && (v.Closed || !v.Until.IsZero()) {
				t.Fatalf("%+v", v)
			}
		}
	}
	total := 0
	for _, n := range leave {
		total += n
	}
	if total == 0 || total > 100 {
		t.Errorf("%d recipients leave within ten minutes, of 100 that may without a release", total)
	}
	// When they leave they count as sent, and before that as to be sent.
	for _, now := range []time.Time{moment.Add(-time.Minute), moment.Add(11 * time.Minute)} {
		if v := s.Take(Submission{Account: alice, Client: home, Recipients: 200}, now); v.Action != Refuse {
			t.Errorf("at %v: %+v", now, v)
		}
	}
	if v := s.Take(Submission{Account: alice, Client: home, Recipients: 50}, moment.Add(24*time.Hour)); v.Action != Accept {
		t.Errorf("the day after: %+v", v)
	}
	if sub := s.accounts[accountKey(alice)]; len(sub.Planned) != 0 {
		t.Errorf("%d are still to leave", len(sub.Planned))
	}
}

// TestPlannedFreed: the time that is told with a refusal is one at which it is accepted.
func TestPlannedFreed(t *testing.T) {
	s := newSending(t, Defaults())
	now := at(t, "Tue 2026-11-24 12:00")
	for i := range 4 {
		if v := s.Take(Submission{Account: alice, Recipients: 45, At: now.Add(time.Duration(1+2*i) * time.Minute)}, now); v.Action == Refuse {
			t.Fatalf("%+v", v)
		}
	}
	sub := Submission{Account: alice, Recipients: 60, Digest: 1}
	v := s.Take(sub, now)
	if v.Action != Refuse || !v.Until.After(now.Add(7*time.Minute)) {
		t.Fatalf("%+v", v)
	}
	if w := s.Take(sub, v.Until.Add(-time.Second)); w.Action != Refuse {
		t.Errorf("a second before: %+v", w)
	}
	if w := s.Take(sub, v.Until); w.Action == Refuse {
		t.Errorf("at %v: %+v", v.Until, w)
	}
}

// TestPlannedBounded: not more messages than that wait.
func TestPlannedBounded(t *testing.T) {
	table := Defaults()
	table.Account, table.Client = []Window{{time.Minute, 50, 100}}, nil
	s := newSending(t, table)
	now := at(t, "Tue 2026-11-24 12:00")
	for i := range maxPlanned + 10 {
		v := s.Take(Submission{Account: alice, Recipients: 1, At: now.Add(time.Duration(i+1) * time.Hour)}, now)
		if refused := v.Action == Refuse; refused != (i >= maxPlanned) {
			t.Fatalf("%d: %+v", i, v)
		}
	}
}

// TestPeak compares the peak with what the definition says, and finds the worst case quick
// enough.
func TestPeak(t *testing.T) {
	for seed := range 300 {
		r := rand.New(rand.NewPCG(uint64(seed), 1))
		const now, period = 10_000, 1000
		var p party
		for at := int64(now - 2000); at < now; at += r.Int64N(300) {
			p.sent = append(p.sent, part{at, at, r.IntN(5)})
		}
		for at := int64(now + 1); at < now+4000; at += r.Int64N(400) {
			p.planned = append(p.planned, part{at, at, r.IntN(5)})
		}
		at := now + r.Int64N(3000)
		want := p.count(at, period*time.Second)
		for end := at; end <= at+period; end++ {
			want = max(want, p.count(end, period*time.Second))
		}
		if got := p.peak(at, period*time.Second); got != want {
			t.Fatalf("seed %d: %d, want %d", seed, got, want)
		}
	}
	s := newSending(t, Defaults())
	now := at(t, "Tue 2026-11-24 12:00")
	for i := range maxPlanned {
		s.Take(Submission{Account: alice, Client: home, Recipients: 2, At: now.Add(time.Duration(1+i*30) * time.Minute)}, now)
	}
	begun := time.Now()
	v := s.Take(Submission{Account: alice, Client: home, Recipients: 99, Digest: 1}, now)
	t.Logf("%v: %+v", time.Since(begun), v) // told, not judged
}
