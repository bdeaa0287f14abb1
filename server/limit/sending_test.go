package limit

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"facteur/server/address"
	"facteur/server/statedb"
)

var (
	brussels = zone("Europe/Brussels")
	alice    = address.MustParse("alice@example.org")
	home     = netip.MustParseAddr("192.0.2.1")
)

func zone(name string) *time.Location {
	z, err := time.LoadLocation(name)
	if err != nil {
		panic(err)
	}
	return z
}

// school is the table of the examples.
func school() Table {
	const m, h = time.Minute, time.Hour
	t := Defaults()
	t.Account = []Window{{m, 500, 700}, {10 * m, 800, 1000}, {h, 2000, 4000}, {10 * h, 5000, 8000}}
	t.Client = t.Account
	return t
}

func inBrussels(t Table) Table {
	t.Zone = brussels
	return t
}

func newSending(t testing.TB, table Table) *Sending {
	t.Helper()
	s, err := Open(Options{Table: inBrussels(table)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func at(t testing.TB, s string) time.Time {
	t.Helper()
	when, err := time.ParseInLocation("Mon 2006-01-02 15:04", s, brussels)
	if err != nil {
		t.Fatal(err)
	}
	return when
}

// TestThresholds drives each window of both tables to its two thresholds, in
// the day, at night and at the weekend, for an account and for a client. The
// recipients are spread over nine tenths of the window, so that no other is met.
func TestThresholds(t *testing.T) {
	for _, tables := range []struct {
		name  string
		table Table
	}{{"default", Defaults()}, {"school", school()}} {
		for _, when := range []struct {
			name, start string
			divide      int
		}{
			{"day", "Tue 2026-11-24 07:00", 1},
			{"night", "Tue 2026-11-24 20:00", 4},
			{"weekend", "Sat 2026-11-28 07:00", 2},
			{"weekend night", "Sat 2026-11-28 20:00", 4},
			{"Friday night", "Fri 2026-11-27 20:00", 4},
			{"Sunday", "Sun 2026-11-29 09:00", 2},
			{"Sunday night", "Sun 2026-11-29 20:00", 4},
		} {
			for _, who := range []string{"account", "client"} {
				windows := tables.table.Account
				if who == "client" {
					windows = tables.table.Client
				}
				for i, w := range windows {
					t.Run(fmt.Sprintf("%s/%s/%s/%v", tables.name, when.name, who, w.Period), func(t *testing.T) {
						drive(t, tables.table, who, i, at(t, when.start), when.divide)
					})
				}
			}
		}
	}
}

func drive(t *testing.T, table Table, who string, i int, start time.Time, divide int) {
	windows := table.Account
	if who == "client" {
		windows = table.Client
	}
	w := windows[i]
	warn, refuse := w.Warn/divide, w.Refuse/divide
	s := newSending(t, table)
	// The first part, up to the warning, takes this share of the time.
	share := float64(w.Warn) / float64(w.Refuse)
	if w == Defaults().Client[2] {
		share = 2.0 / 3 // at an even pace the window of ten minutes would be met
	}
	pace := func(sent int) time.Duration {
		if sent <= warn {
			return time.Duration(float64(w.Period) * 0.9 * share / float64(warn))
		}
		return time.Duration(float64(w.Period) * 0.9 * (1 - share) / float64(refuse-warn))
	}
	now := start
	take := func(n int) Verdict {
		sub := Submission{Account: alice, Recipients: n}
		if who == "client" { // each message from another account
			sub.Account, sub.Client = address.MustParse(fmt.Sprintf("u%d@example.org", now.UnixNano())), home
		}
		return s.Take(sub, now)
	}
	for sent := 1; sent <= refuse; sent++ {
		want := Accept
		if sent > warn {
			want = Hold
		}
		if v := take(1); v.Action != want {
			t.Fatalf("recipient %d of %d, %d: %+v", sent, warn, refuse, v)
		}
		now = now.Add(pace(sent))
	}
	v := take(1)
	if v.Action != Refuse || v.Until.IsZero() || v.Closed {
		t.Fatalf("recipient %d: %+v", refuse+1, v)
	}
	// The first one leaves the window: a part of it may stay a 64th longer.
	free := start.Add(w.Period)
	if v.Until.Before(free) || v.Until.After(free.Add(w.Period/32+2*time.Second)) {
		t.Errorf("until %v, not %v", v.Until, free)
	}
	t.Logf("%s, %v: from %d on held, from %d on refused: %q", start.Format("Mon 15:04"), w.Period, warn+1, refuse+1, v.Fault().Error())
	now = v.Until.Add(-2 * time.Second)
	if v := take(1); v.Action != Refuse {
		t.Errorf("just before: %+v", v)
	}
	now = now.Add(2 * time.Second)
	if v := take(1); v.Action == Refuse {
		t.Errorf("when it was to be accepted: %+v", v)
	}
}

// TestFactor multiplies; nothing falls below one.
func TestFactor(t *testing.T) {
	for _, c := range []struct {
		start        string
		factor       float64
		warn, refuse int
	}{
		{"Tue 2026-11-24 12:00", 0, 50, 100},
		{"Tue 2026-11-24 12:00", 2, 100, 200},
		{"Tue 2026-11-24 12:00", 0.5, 25, 50},
		{"Tue 2026-11-24 12:00", 0.001, 1, 1},
		{"Tue 2026-11-24 22:00", 2, 25, 50},
		{"Sat 2026-11-28 12:00", 1.5, 37, 75},
	} {
		table := Table{Account: Defaults().Account[:1], Client: Defaults().Client[:1], Night: Defaults().Night, Weekend: 2}
		s := newSending(t, table)
		warn, refuse := -1, -1
		for n := 1; refuse < 0; n++ {
			v := s.Take(Submission{Account: alice, Client: home, Recipients: 1, Factor: c.factor}, at(t, c.start))
			if v.Action == Hold && warn < 0 {
				warn = n - 1
			}
			if v.Action == Refuse {
				refuse = n - 1
			}
		}
		if warn < 0 {
			warn = refuse
		}
		if warn != c.warn || refuse != c.refuse {
			t.Errorf("%+v: %d, %d", c, warn, refuse)
		}
	}
}

// TestUntil asks when a message that is too much will be accepted.
func TestUntil(t *testing.T) {
	for _, c := range []struct {
		name, now   string
		before, ago int // recipients, minutes ago
		n           int
		factor      float64
		until       string // "": never
	}{
		{"the minute", "Tue 2026-11-24 12:00", 90, 0, 20, 1, "Tue 2026-11-24 12:01"},
		{"the ten minutes", "Tue 2026-11-24 12:00", 100, 5, 100, 1, "Tue 2026-11-24 12:00"},
		{"a hundred at once", "Tue 2026-11-24 12:00", 0, 0, 100, 1, "Tue 2026-11-24 12:00"},
		{"too many for ever", "Tue 2026-11-24 12:00", 0, 0, 101, 1, ""},
		{"ten thousand", "Tue 2026-11-24 12:00", 0, 0, 10_000, 1, ""},
		{"not for the large", "Tue 2026-11-24 12:00", 0, 0, 101, 2, "Tue 2026-11-24 12:00"},
		{"at night, too many for the night", "Tue 2026-11-24 23:00", 0, 0, 26, 1, "Wed 2026-11-25 07:00"},
		{"at night, and too many for a weekend", "Fri 2026-11-27 23:00", 0, 0, 51, 1, "Mon 2026-11-30 07:00"},
		{"on Saturday, too many for it", "Sat 2026-11-28 12:00", 0, 0, 51, 1, "Mon 2026-11-30 07:00"},
		{"on Saturday, enough for it", "Sat 2026-11-28 12:00", 40, 0, 20, 1, "Sat 2026-11-28 12:01"},
		{"in the evening, when the night is less", "Tue 2026-11-24 19:59", 90, 0, 25, 1, "Tue 2026-11-24 20:59"},
		{"the end of the night", "Wed 2026-11-25 06:58", 25, 0, 1, 1, "Wed 2026-11-25 06:59"},
		{"the end of the night is sooner", "Wed 2026-11-25 06:58", 49, 1, 25, 1, "Wed 2026-11-25 07:00"},
		{"the night of summer time", "Sat 2026-03-28 23:00", 0, 0, 40, 1, "Sun 2026-03-29 07:00"},
	} {
		s := newSending(t, Defaults())
		now := at(t, c.now)
		if c.before > 0 { // by day's rules, so that all is taken
			s.account(alice, now).Sent = history{}.add(now.Add(-time.Duration(c.ago)*time.Minute).Unix(), c.before, 10*time.Hour)
		}
		r := request{table: &s.table, n: c.n, factor: c.factor, parties: []party{{alice.String(), s.account(alice, now).Sent, nil, s.table.Account}}}
		got := ""
		if until := r.until(now); !until.IsZero() {
			got = until.Format("Mon 2006-01-02 15:04")
		}
		if got != c.until {
			t.Errorf("%s: %q", c.name, got)
		}
	}
}

func TestSeason(t *testing.T) {
	table := inBrussels(Defaults())
	early := table
	early.Night = Night{From: 60, To: 5 * 60, Divide: 4}
	for _, c := range []struct {
		table *Table
		at    string
		want  season
	}{
		{&table, "Tue 2026-11-24 06:59", night},
		{&table, "Tue 2026-11-24 07:00", day},
		{&table, "Tue 2026-11-24 19:59", day},
		{&table, "Tue 2026-11-24 20:00", night},
		{&table, "Fri 2026-11-27 19:59", day},
		{&table, "Fri 2026-11-27 23:59", night},
		{&table, "Sat 2026-11-28 00:00", night},
		{&table, "Sat 2026-11-28 07:00", weekend},
		{&table, "Sun 2026-11-29 19:59", weekend},
		{&table, "Sun 2026-11-29 20:00", night},
		{&table, "Mon 2026-11-30 06:59", night},
		{&table, "Mon 2026-11-30 07:00", day},
		{&early, "Sat 2026-11-28 00:59", weekend},
		{&early, "Sat 2026-11-28 01:00", night},
		{&early, "Sat 2026-11-28 05:00", weekend},
		{&Table{}, "Tue 2026-11-24 22:00", day},
	} {
		if got := c.table.season(at(t, c.at)); got != c.want {
			t.Errorf("%s: %d", c.at, got)
		}
	}
	// In each quarter of an hour around both changes of the clock, the next change
	// of the season is found, wherever the night begins and ends.
	for _, from := range []string{"Sat 2026-03-28 12:00", "Sat 2026-10-24 12:00"} {
		for _, n := range []Night{{20 * 60, 7 * 60, 4}, {2*60 + 30, 3*60 + 30, 4}, {23 * 60, 2*60 + 15, 4}, {2 * 60, 3 * 60, 4}} {
			table.Night = n
			for q := range 4 * 48 {
				now := at(t, from).Add(time.Duration(q) * 15 * time.Minute)
				end := table.change(now)
				if !end.After(now) {
					t.Fatalf("%v: %v", now, end)
				}
				for x := now; x.Before(end); x = x.Add(time.Minute) {
					if table.season(x) != table.season(now) {
						t.Fatalf("%v, %+v: the season changes at %v, not %v", now, n, x, end)
					}
				}
			}
		}
	}
}

// TestModel holds random sending against a list of all that was ever sent.
func TestModel(t *testing.T) {
	type sent struct {
		at time.Time
		n  int
	}
	for seed := range uint64(20 / share) {
		r := rand.New(rand.NewPCG(seed, 1))
		table := Table{Account: []Window{{time.Minute, 20, 30}, {10 * time.Minute, 60, 80}, {time.Hour, 100, 200}, {10 * time.Hour, 300, 500}}}
		s := newSending(t, table)
		now := at(t, "Tue 2026-11-24 00:00")
		var all []sent
		over := func(w Window, n int, slack time.Duration) bool {
			for _, x := range all {
				if x.at.After(now.Add(-w.Period - slack)) {
					n += x.n
				}
			}
			return n > w.Refuse
		}
		for range 2000 {
			now = now.Add(time.Duration(r.ExpFloat64() * float64(90*time.Second) * float64(r.IntN(3))))
			n := 1 + r.IntN(12)
			v := s.Take(Submission{Account: alice, Recipients: n, Digest: 1}, now)
			exact, coarse := false, false
			for _, w := range table.Account {
				exact = exact || over(w, n, 0)
				coarse = coarse || over(w, n, w.Period/coarseness+2*time.Second)
			}
			if v.Action == Refuse && !coarse || v.Action != Refuse && exact {
				t.Fatalf("seed %d, %v, %d recipients: %+v; exactly over: %v", seed, now, n, v, exact)
			}
			if v.Action == Refuse {
				if !v.Until.After(now) {
					t.Fatalf("refused until %v at %v", v.Until, now)
				}
				continue
			}
			all = append(all, sent{now, n})
		}
		if parts := len(s.account(alice, now).Sent); parts > 64*8 {
			t.Errorf("%d parts", parts)
		}
	}
}

// TestTogether has many sessions of an account take at the same time.
func TestTogether(t *testing.T) {
	s := newSending(t, Defaults())
	now := at(t, "Tue 2026-11-24 12:00")
	var taken, held atomic.Int64
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			for range 20 {
				switch s.Take(Submission{Account: alice, Client: home, Recipients: 1, Digest: 1}, now).Action {
				case Accept:
					taken.Add(1)
				case Hold:
					held.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if taken.Load() != 50 || held.Load() != 50 {
		t.Errorf("%d taken, %d held", taken.Load(), held.Load())
	}
}

// TestMillionClients sends from 10^6 addresses: the memory is bounded, and who
// has sent much is not forgotten for them.
func TestMillionClients(t *testing.T) {
	if testing.Short() {
		t.Skip("much work in one goroutine")
	}
	s := newSending(t, Defaults())
	now := at(t, "Tue 2026-11-24 12:00")
	busy := Submission{Account: alice, Client: home, Recipients: 90}
	if v := s.Take(busy, now); v.Action != Hold {
		t.Fatal(v)
	}
	for i := range 1_000_000 / share {
		ip := netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 4: byte(i >> 16), 5: byte(i >> 8), 6: byte(i), 15: byte(i)})
		s.mu.Lock()
		s.client(ip, now)
		s.mu.Unlock()
	}
	if len(s.clients) > maxClients {
		t.Errorf("%d clients", len(s.clients))
	}
	busy.Account = address.MustParse("bob@example.org")
	if v := s.Take(busy, now); v.Action != Refuse || !strings.HasPrefix(v.Reason, "192.0.2.1 may not send") {
		t.Errorf("%+v", v)
	}
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	t.Logf("%d MB in use", m.HeapAlloc>>20)
	runtime.KeepAlive(s)
	s.mu.Lock()
	s.sweep(now.Add(72 * time.Hour))
	s.mu.Unlock()
	if len(s.clients)+len(s.accounts) != 0 {
		t.Errorf("%d clients and %d accounts three days later", len(s.clients), len(s.accounts))
	}
}

// TestOneHousehold counts the addresses of an IPv6 /64 as one, and IPv4 in
// IPv6 as IPv4.
func TestOneHousehold(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"2001:db8:0:1::1", "2001:db8:0:1:ffff::2", true},
		{"2001:db8:0:1::1", "2001:db8:0:2::1", false},
		{"192.0.2.1", "::ffff:192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"fe80::1%eth0", "fe80::2%eth1", true},
	} {
		s := newSending(t, Table{Client: []Window{{time.Hour, 1, 1}}})
		now := at(t, "Tue 2026-11-24 12:00")
		s.Take(Submission{Account: alice, Client: netip.MustParseAddr(c.a), Recipients: 1}, now)
		v := s.Take(Submission{Account: alice, Client: netip.MustParseAddr(c.b), Recipients: 1}, now)
		if got := v.Action == Refuse; got != c.same {
			t.Errorf("%s and %s: %+v", c.a, c.b, v)
		}
	}
}

// TestClock sets the clock back and forth: nothing is forgotten early, and
// nothing is refused for longer than a window.
func TestClock(t *testing.T) {
	s := newSending(t, Table{Account: []Window{{time.Hour, 10, 10}}})
	now := at(t, "Tue 2026-11-24 12:00")
	take := func(n int) Action { return s.Take(Submission{Account: alice, Recipients: n, Digest: 1}, now).Action }
	if take(10) != Accept || take(1) != Refuse {
		t.Fatal("the limit")
	}
	now = now.Add(-30 * 24 * time.Hour)
	if take(1) != Refuse {
		t.Error("a clock set back by a month makes room")
	}
	now = now.Add(time.Hour + 2*time.Second)
	if take(1) != Accept {
		t.Error("an hour later there is no room")
	}
	now = now.Add(-3 * time.Second) // another session looked at the clock first
	if take(9) != Accept || take(1) != Refuse {
		t.Error("three seconds back")
	}
	now = now.Add(time.Hour) // of the nine, counted with the one before
	if take(1) != Refuse {
		t.Error("what was counted early is gone early")
	}
	now = now.Add(5 * time.Second)
	if take(9) != Accept {
		t.Error("it is still there")
	}
	now = now.Add(-10 * time.Minute)
	if take(2) != Refuse {
		t.Error("ten minutes back")
	}
	now = now.Add(10 * 365 * 24 * time.Hour)
	if take(10) != Accept {
		t.Error("ten years later")
	}
}

// TestRestart keeps counts, notices, offences and closed accounts.
func TestRestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	var state *statedb.DB
	var s *Sending
	restart := func() {
		t.Helper()
		if state != nil {
			if err := state.Close(); err != nil {
				t.Fatal(err)
			}
		}
		var err error
		if state, err = statedb.Open(path, nil); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { state.Close() })
		if s, err = Open(Options{State: state, Table: inBrussels(Defaults())}); err != nil {
			t.Fatal(err)
		}
	}
	restart()
	now := at(t, "Tue 2026-11-24 12:00")
	big := Submission{Account: alice, Client: home, Recipients: 60}
	if v := s.Take(big, now); v.Action != Hold || !v.Tell {
		t.Fatalf("%+v", v)
	}
	for range 3 {
		restart()
		if v := s.Take(big, now); v.Action != Refuse || v.Closed {
			t.Fatalf("%+v", v)
		}
	}
	big.Account = address.MustParse("bob@example.org")
	if v := s.Take(big, now); v.Action != Refuse || !strings.HasPrefix(v.Reason, "192.0.2.1") {
		t.Errorf("the client: %+v", v)
	}
	now = now.Add(10*time.Minute + time.Second)
	big.Account, big.Client = alice, netip.Addr{}
	if v := s.Take(big, now); v.Action != Hold || v.Tell {
		t.Errorf("told again on the same day: %+v", v)
	}
	restart()
	if !s.CloseAccount(t.Context(), alice, "it was a test", now) || s.CloseAccount(t.Context(), alice, "again", now) {
		t.Error("closing")
	}
	state.Close() // nothing more is written
	restart()
	if v := s.Take(big, now.Add(240*time.Hour)); !v.Closed || v.Tell || v.Reason != "it was a test" {
		t.Errorf("%+v", v)
	}
	if ok, err := s.Reopen(t.Context(), alice); !ok || err != nil {
		t.Error(ok, err)
	}
	restart()
	if ok, err := s.Reopen(t.Context(), alice); ok || err != nil {
		t.Error(ok, err)
	}
	if v := s.Take(big, now); v.Action != Hold || !v.Tell {
		t.Errorf("open again: %+v", v)
	}
}

// TestKill looks at what a kill leaves: what is a second old is there, and closed
// accounts are at once.
func TestKill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		state, err := statedb.Open(filepath.Join(dir, "state.db"), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer state.Close()
		s, err := Open(Options{State: state, Table: Table{Account: []Window{{time.Hour, 10, 10}}}})
		if err != nil {
			t.Fatal(err)
		}
		bob := address.MustParse("bob@example.org")
		s.Take(Submission{Account: alice, Recipients: 7}, time.Now())
		time.Sleep(time.Second)
		synctest.Wait()
		s.Take(Submission{Account: alice, Recipients: 2}, time.Now()) // too late
		s.CloseAccount(t.Context(), bob, "it was a test", time.Now())
		left := filepath.Join(t.TempDir(), "state.db")
		for _, suffix := range []string{"", "-wal"} {
			data, err := os.ReadFile(filepath.Join(dir, "state.db"+suffix))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(left+suffix, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		after, err := statedb.Open(left, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer after.Close()
		s, err = Open(Options{State: after, Table: s.table})
		if err != nil {
			t.Fatal(err)
		}
		if n := s.account(alice, time.Now()).Sent.count(time.Now().Unix(), time.Hour); n != 7 {
			t.Errorf("%d recipients are remembered", n)
		}
		if _, closed := s.IsClosed(bob); !closed {
			t.Error("bob is open again")
		}
	})
}

func FuzzSubject(f *testing.F) {
	f.Add([]byte(`{"sent":[{"First":1,"Last":2,"N":3}],"told":"2026-11-24","over":[1,2],"quiet":3,"refused":[4]}`))
	f.Add([]byte(`{"sent":[{"First":9,"Last":2,"N":3}]}`))
	f.Add([]byte(`{"sent":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		sub, ok := parseSubject(data)
		if !ok {
			return
		}
		s := newSending(t, Defaults())
		s.accounts[accountKey(alice)] = sub
		now := at(t, "Tue 2026-11-24 12:00")
		v := s.Take(Submission{Account: alice, Recipients: 1}, now)
		if v.Action == Refuse && !v.Closed && v.Until.IsZero() {
			t.Errorf("%s: never: %+v", data, v)
		}
		if sub := s.accounts[accountKey(alice)]; !sub.Sent.valid() {
			t.Errorf("%s: %+v", data, sub)
		}
	})
}

func BenchmarkTake(b *testing.B) {
	s := newSending(b, school())
	now := at(b, "Tue 2026-11-24 08:00")
	for b.Loop() {
		s.Take(Submission{Account: alice, Client: home, Recipients: 1, Digest: 1}, now)
		now = now.Add(time.Second)
	}
}
