package intake

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"facteur/server/deliver"
	"facteur/server/fault"
	"facteur/server/limit"
)

// senders is a world whose own users have limits, with a clock of its own.
type senders struct {
	*world
	now     time.Time
	notices []Notice
	limits  *limit.Sending
}

// newSenders begins at a local time such as "Tue 2026-11-24 12:00".
func newSenders(t *testing.T, table limit.Table, start string) *senders {
	t.Helper()
	s := &senders{world: newWorld(t)}
	zone, err := time.LoadLocation("Europe/Brussels")
	if err != nil {
		t.Fatal(err)
	}
	if s.now, err = time.ParseInLocation("Mon 2006-01-02 15:04", start, zone); err != nil {
		t.Fatal(err)
	}
	table.Zone = zone
	if s.limits, err = limit.Open(limit.Options{Table: table}); err != nil {
		t.Fatal(err)
	}
	clock := func() time.Time { return s.now }
	d := deliver.New(deliver.Options{Store: s.store, Spool: s.queue, Log: s.opts.Log, Now: clock},
		deliver.Settings{Directory: s.settings.Directory, Hooks: s.settings.BoxHooks})
	s.Intake = New(Options{
		Deliver: d, Store: s.store, Log: s.opts.Log, Now: clock, Sending: s.limits,
		Notify: func(n Notice) { s.notices = append(s.notices, n) },
	}, s.settings)
	return s
}

// write has alice write to n recipients, and tells what became of it: "accepted",
// "held", or the codes of the reply.
func (s *senders) write(n int, header ...string) string {
	s.Helper()
	held := s.held()
	r := s.send(mail{as: "alice@example.org", listener: "submission", to: slices.Repeat([]string{"bob@example.org"}, n),
		header: "From: alice@example.org\r\n" + strings.Join(header, "")})
	switch err := r.first(); {
	case err != nil:
		return answer(err)
	case s.held() > held:
		return "held"
	}
	return "accepted"
}

func (s *senders) held() (n int) {
	for _, e := range s.queue.List() {
		if e.Hold != "" {
			n++
		}
	}
	return n
}

func tables() map[string]limit.Table {
	const m, h = time.Minute, time.Hour
	night := limit.Night{From: 20 * 60, To: 7 * 60, Divide: 4}
	school := []limit.Window{{Period: m, Warn: 500, Refuse: 700}, {Period: 10 * m, Warn: 800, Refuse: 1000},
		{Period: h, Warn: 2000, Refuse: 4000}, {Period: 10 * h, Warn: 5000, Refuse: 8000}}
	return map[string]limit.Table{
		"default": {
			Account: []limit.Window{{Period: m, Warn: 50, Refuse: 100}, {Period: 10 * m, Warn: 100, Refuse: 200},
				{Period: h, Warn: 200, Refuse: 400}, {Period: 10 * h, Warn: 500, Refuse: 1000}},
			Client: []limit.Window{{Period: m, Warn: 50, Refuse: 100}, {Period: 10 * m, Warn: 100, Refuse: 200},
				{Period: h, Warn: 300, Refuse: 600}, {Period: 10 * h, Warn: 600, Refuse: 1000}},
			Night: night, Weekend: 2,
		},
		"school": {Account: school, Client: school, Night: night, Weekend: 2},
	}
}

// TestSendingThresholds drives each window of the tables to its thresholds by
// whole messages, in the day, at night and at the weekend.
func TestSendingThresholds(t *testing.T) {
	for name, table := range tables() {
		for _, when := range []struct {
			name, start string
			divide      int
		}{{"day", "Tue 2026-11-24 07:00", 1}, {"night", "Tue 2026-11-24 20:00", 4}, {"weekend", "Sat 2026-11-28 07:00", 2}, {"weekend night", "Sat 2026-11-28 20:00", 4}} {
			for i, w := range table.Account {
				t.Run(fmt.Sprintf("%s/%s/%v", name, when.name, w.Period), func(t *testing.T) {
					t.Parallel()
					table := table
					table.Client = nil // it has the same or more
					driveWindow(t, table, i, when.start, when.divide)
				})
			}
		}
	}
}

func driveWindow(t *testing.T, table limit.Table, i int, start string, divide int) {
	s := newSenders(t, table, start)
	w := table.Account[i]
	warn, refuse := w.Warn/divide, w.Refuse/divide
	// Messages so small, and so far apart, that no other window is met.
	most := table.Account[0].Warn / divide / 5
	step := w.Period * 9 / 10 / time.Duration(refuse/most+2)
	if i == 0 {
		most, step = warn, 0
	}
	sent := 0
	fill := func(to int, want string) {
		for sent < to {
			n := min(most, to-sent)
			if got := s.write(n); got != want {
				t.Fatalf("%d after %d of %d, %d: %s", n, sent, warn, refuse, got)
			}
			sent += n
			s.now = s.now.Add(step)
		}
	}
	fill(warn, "accepted")
	if got := s.write(1); got != "held" {
		t.Fatalf("one more than %d: %s", warn, got)
	}
	sent++
	fill(refuse, "held")
	if got := s.write(1); got != "452 4.7.1" {
		t.Fatalf("one more than %d: %s", refuse, got)
	}
	if len(s.notices) != 1 || s.notices[0].ID == "" || s.notices[0].Account != addr("alice@example.org") {
		t.Errorf("%+v", s.notices)
	}
	if in := len(s.inbox("bob@example.org")); in*most < warn || in*most > warn+2*most {
		t.Errorf("%d messages were delivered", in)
	}
}

// TestSendingReplies looks at the words.
func TestSendingReplies(t *testing.T) {
	s := newSenders(t, tables()["default"], "Tue 2026-11-24 12:00")
	one := func(n int) error {
		return s.send(mail{as: "alice@example.org", listener: "submission", to: slices.Repeat([]string{"bob@example.org"}, n)}).first()
	}
	for _, c := range []struct {
		n    int
		want string
	}{
		{101, "550 5.7.1 alice@example.org may never send to more than 100 recipients in 1 minute: send it to fewer at a time"},
		{10_000, "550 5.7.1 alice@example.org may never send to more than 100 recipients in 1 minute: send it to fewer at a time"},
		{100, ""},
		{1, "452 4.7.1 alice@example.org may not send to more than 100 recipients in 1 minute; this will be accepted from 2026-11-24 12:02 CET"},
	} {
		got := ""
		if err := one(c.n); err != nil {
			got = fault.As(err).Error()
		}
		if got != c.want {
			t.Errorf("%d: %q", c.n, got)
		}
	}
}

// TestSendingCounts tells what is counted, and what is not.
func TestSendingCounts(t *testing.T) {
	table := limit.Table{Account: []limit.Window{{Period: time.Hour, Warn: 3, Refuse: 3}}, Client: []limit.Window{{Period: time.Hour, Warn: 5, Refuse: 5}}}
	const refused = "452 4.7.1"
	s := newSenders(t, table, "Tue 2026-11-24 12:00")
	for _, c := range []struct {
		name string
		mail
		want string
	}{
		{"a list of three is one recipient", mail{as: "alice@example.org", to: []string{"team@example.org"}}, ""},
		{"refused recipients are none", mail{as: "alice@example.org", to: []string{"nobody@example.org"}}, "550 5.1.1"},
		{"a refused message is none", mail{as: "alice@example.org", to: []string{"bob@example.org"}, header: "From: bob@example.org\r\n"}, "550 5.7.1"},
		{"mail from elsewhere is not hers", mail{to: []string{"out@example.org", "alice@example.org", "bob@example.org", "info@example.org"}}, ""},
		{"two more", mail{as: "alice@example.org", to: []string{"bob@example.org", "x@example.net"}}, ""},
		{"that is all", mail{as: "alice@example.org", to: []string{"bob@example.org"}}, refused},
		{"bob has his own, as much as the client", mail{as: "bob@example.org", to: []string{"alice@example.org", "x@example.net"}}, ""},
		{"the client has no more", mail{as: "small@example.org", to: []string{"bob@example.org"}}, refused},
	} {
		r := s.send(c.mail)
		if got := answer(r.first()); got != c.want {
			t.Errorf("%s: %q: %v", c.name, got, r.first())
		}
	}
	s.settings.Unlimited = func(ip netip.Addr) bool { return ip == netip.MustParseAddr("192.0.2.1") }
	s.Apply(s.settings)
	if got := answer(s.send(mail{as: "small@example.org", to: []string{"bob@example.org"}}).first()); got != "" {
		t.Errorf("a client without a limit: %q", got)
	}
	if got := answer(s.send(mail{as: "alice@example.org", to: []string{"bob@example.org"}}).first()); got != refused {
		t.Errorf("the account has one all the same: %q", got)
	}
}

// TestClosedForSending goes over the limit three times.
func TestClosedForSending(t *testing.T) {
	s := newSenders(t, limit.Table{Account: []limit.Window{{Period: 10 * time.Minute, Warn: 2, Refuse: 2}}}, "Tue 2026-11-24 12:00")
	for i := range 3 {
		if got := s.write(2); got != "accepted" {
			t.Fatal(got)
		}
		want := "452 4.7.1"
		if i == 2 {
			want = "550 5.7.1"
		}
		for n := range 2 { // a second time is the same offence
			if got := s.write(1, fmt.Sprintf("Subject: %d, %d\r\n", i, n)); got != want {
				t.Fatalf("offence %d: %s", i+1, got)
			}
		}
		s.now = s.now.Add(time.Hour)
	}
	r := s.send(mail{as: "alice@example.org", to: []string{"bob@example.org"}})
	if got := answer(r.mail); got != "550 5.7.1" || !strings.Contains(r.mail.Error(), "closed for sending, because it went over the limit") {
		t.Errorf("at MAIL: %v", r.mail)
	}
	if len(s.notices) != 1 || s.notices[0].ID != "" {
		t.Errorf("%+v", s.notices)
	}
	if got := answer(s.send(mail{to: []string{"alice@example.org"}}).first()); got != "" {
		t.Errorf("mail for her: %s", got)
	}
	if ok, err := s.limits.Reopen(t.Context(), addr("alice@example.org")); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if got := s.write(1); got != "accepted" {
		t.Error(got)
	}
}

// TestSavedUp: a thief who sends each day as much as the limits allow, all to leave at one
// time weeks later, gets no more out then than the limits allow.
func TestSavedUp(t *testing.T) {
	s := newSenders(t, tables()["default"], "Mon 2026-11-02 12:00")
	const days = 4
	goes := 0
	moment := s.now.Add(days * 24 * time.Hour)
	for s.now.Before(moment) {
		r := s.send(mail{as: "alice@example.org", listener: "submission", hold: moment.Sub(s.now), to: slices.Repeat([]string{"bob@example.org"}, 10),
			header: "From: alice@example.org\r\n"})
		if r.first() == nil {
			goes += 10
		} else if got := answer(r.first()); got != "550 5.7.1" {
			t.Fatal(got)
		}
		s.now = s.now.Add(time.Hour)
	}
	if goes != 100 { // in a minute, half of it held
		t.Errorf("%d recipients", goes)
	}
	if got := s.write(10); got != "452 4.7.1" {
		t.Errorf("in the minute when they leave: %s", got)
	}
}
