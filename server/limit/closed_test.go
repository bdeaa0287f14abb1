package limit

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"facteur/server/address"
)

// TestOffences goes over the top limit again and again.
func TestOffences(t *testing.T) {
	type step struct {
		after  time.Duration
		digest uint64
		n      int
		want   string // "ok", "refused", "closed", "closed now"
	}
	const m, h = time.Minute, time.Hour
	for _, c := range []struct {
		name  string
		steps []step
	}{
		{"three times in a day", []step{
			{0, 1, 100, "ok"}, {1, 2, 1, "refused"}, {2 * h, 3, 100, "ok"}, {1, 4, 1, "refused"}, {2 * h, 5, 100, "ok"}, {1, 6, 1, "closed now"},
			{48 * h, 7, 1, "closed"},
		}},
		{"a flood", []step{
			{0, 1, 100, "ok"}, {1, 2, 1, "refused"}, {1, 3, 1, "refused"}, {1, 4, 1, "refused"}, {1, 5, 1, "refused"},
			{m + 2*time.Second, 6, 100, "ok"}, {1, 7, 1, "refused"}, {10 * m, 8, 100, "ok"}, {1, 9, 1, "closed now"}, {1, 10, 1, "closed"},
		}},
		{"a program that tries the same message again, every ten minutes", []step{
			{0, 1, 100, "ok"}, {1, 2, 100, "refused"}, {30 * time.Second, 2, 100, "refused"}, {2 * m, 2, 100, "ok"}, {1, 3, 100, "refused"},
			{10 * m, 4, 100, "ok"}, {11 * m, 2, 100, "ok"}, {11 * m, 2, 100, "refused"}, {30 * m, 2, 100, "ok"}, {m, 3, 100, "refused"},
			{10 * m, 3, 100, "ok"}, {m, 3, 100, "refused"}, {10 * m, 3, 100, "ok"},
		}},
		{"three times in three days", []step{
			{0, 1, 100, "ok"}, {1, 2, 1, "refused"}, {13 * h, 3, 20, "ok"}, {1, 4, 30, "refused"}, {13 * h, 5, 100, "ok"}, {1, 6, 1, "refused"},
		}},
		{"a message that can never be sent", []step{
			{0, 1, 5000, "refused"}, {2 * h, 2, 5000, "refused"}, {2 * h, 3, 5000, "refused"}, {2 * h, 4, 5000, "refused"}, {m, 5, 1, "ok"},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSending(t, Defaults())
			now := at(t, "Tue 2026-11-24 09:00")
			for i, st := range c.steps {
				now = now.Add(st.after)
				v := s.Take(Submission{Account: alice, Recipients: st.n, Digest: st.digest}, now)
				got := "ok"
				switch {
				case v.Closed && v.Tell:
					got = "closed now"
				case v.Closed:
					got = "closed"
				case v.Action == Refuse:
					got = "refused"
				}
				if got != st.want {
					t.Fatalf("step %d at %s: %s: %+v", i, now.Format("15:04:05"), got, v)
				}
			}
		})
	}
}

// TestClientIsNoOffence: what others sent from the same client closes nobody.
func TestClientIsNoOffence(t *testing.T) {
	s := newSending(t, Defaults())
	now := at(t, "Tue 2026-11-24 09:00")
	for i := range 8 {
		other := address.MustParse(fmt.Sprintf("u%d@example.org", i))
		s.Take(Submission{Account: other, Client: home, Recipients: 90}, now)
		if v := s.Take(Submission{Account: alice, Client: home, Recipients: 20, Digest: uint64(i)}, now); v.Action != Refuse || v.Closed {
			t.Fatalf("%+v", v)
		}
		now = now.Add(time.Hour)
	}
}

// thief sends for 24 hours.
type thief struct {
	name string
	// tries tells whether the thief sends, given what the answer would be.
	tries func(Action) bool
}

// TestStolenAccount prints what a stolen account sends in 24 hours: what leaves
// at once, and what is held for the owner's release.
func TestStolenAccount(t *testing.T) {
	for _, tables := range []struct {
		name  string
		table Table
	}{{"default", Defaults()}, {"school", school()}} {
		for _, start := range []string{"Tue 2026-11-24 00:00", "Sat 2026-11-28 00:00"} {
			for _, who := range []thief{
				{"floods from a new address each second", func(Action) bool { return true }},
				{"knows the table and stays below all that is refused", func(a Action) bool { return a != Refuse }},
				{"knows the table and stays below all that is held", func(a Action) bool { return a == Accept }},
			} {
				steal(t, tables.name, tables.table, start, who)
			}
		}
	}
}

func steal(t *testing.T, name string, table Table, start string, who thief) {
	s := newSending(t, table)
	begin := at(t, start)
	var left, held, refused int
	var closed time.Time
	for i := 0; i < 24*60*60; i += share {
		now := begin.Add(time.Duration(i) * time.Second)
		sub := Submission{Account: alice, Recipients: 1, Factor: 1, Digest: uint64(i + 1)}
		sub.Client = netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		r := request{table: &s.table, n: 1, factor: 1, parties: []party{{"", s.account(alice, now).Sent, nil, s.table.Account}}}
		if !who.tries(r.action(now)) {
			continue
		}
		v := s.Take(sub, now)
		switch {
		case v.Action == Accept:
			left++
		case v.Action == Hold:
			held++
		default:
			refused++
		}
		if v.Closed && closed.IsZero() {
			closed = now
		}
	}
	end := "it is never closed"
	if !closed.IsZero() {
		end = "it is closed at " + closed.Format("15:04:05")
	}
	t.Logf("%s table, %s, %s: %d recipients leave in 24 hours, %d wait, %d are refused; %s", name, start, who.name, left, held, refused, end)
	// 24 hours are three windows of ten hours at most, of which the night is divided.
	ten := table.Account[3]
	if left > 3*ten.Warn || left+held > 3*ten.Refuse {
		t.Errorf("the table allows %d and %d", 3*ten.Warn, 3*ten.Refuse)
	}
}

// action is decide without words.
func (r request) action(now time.Time) Action {
	a := Accept
	s := r.table.season(now)
	for _, w := range r.parties[0].windows {
		total := r.parties[0].sent.count(now.Unix(), w.Period) + r.n
		switch {
		case total > r.table.allowed(w.Refuse, r.factor, s):
			return Refuse
		case total > r.table.allowed(w.Warn, r.factor, s):
			a = Hold
		}
	}
	return a
}

// TestPlaces logs in from many places.
func TestPlaces(t *testing.T) {
	now := at(t, "Tue 2026-11-24 12:00")
	network := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, byte(i), 0, byte(i)}) }
	for _, c := range []struct {
		name             string
		places, failures int
		apart            time.Duration
		closed           bool
	}{
		{"many places, many failures", tooManyPlaces, manyFailures, time.Minute, true},
		{"one place less", tooManyPlaces - 1, manyFailures, time.Minute, false},
		{"one failure less", tooManyPlaces, manyFailures - 1, time.Minute, false},
		{"many failures, one place", 1, 1000, 0, false},
		{"many places, no failure", 1000, 0, 0, false},
		{"over a long time", 100, 100, 10 * time.Minute, false},
	} {
		s := newSending(t, Defaults())
		now := now
		closed := false
		for i := range max(c.places, c.failures) {
			if i < c.failures {
				closed = s.Visit(t.Context(), Visit{Account: alice, Client: network(200), Failed: true}, now) || closed
			}
			if i < c.places {
				closed = s.Visit(t.Context(), Visit{Account: alice, Client: network(i)}, now) || closed
			}
			now = now.Add(c.apart)
		}
		if v := s.Take(Submission{Account: alice, Recipients: 1}, now); closed != c.closed || v.Closed != c.closed {
			t.Errorf("%s: %v, %+v", c.name, closed, v)
		}
		if list := s.AllClosed(); len(list) > 0 != c.closed {
			t.Errorf("%s: %+v", c.name, list)
		}
		if v := s.visits[alice.Key()]; len(v.places) > maxPlaces || len(v.failed) > manyFailures {
			t.Errorf("%s: %d places, %d failures are remembered", c.name, len(v.places), len(v.failed))
		}
		if _, err := s.Reopen(t.Context(), alice); err != nil {
			t.Fatal(err)
		}
		if s.Visit(t.Context(), Visit{Account: alice, Client: network(1)}, now) {
			t.Errorf("%s: closed again at once", c.name)
		}
	}
}
