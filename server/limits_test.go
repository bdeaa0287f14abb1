package server

import (
	"bytes"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/auth"
	"facteur/server/config"
	"facteur/server/control"
	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/limit"
	"facteur/server/testkit"
)

// TestTables compares the limits of the files that ship with those of the design.
func TestTables(t *testing.T) {
	const m, h = time.Minute, time.Hour
	design := [2][]limit.Window{
		{{Period: m, Warn: 50, Refuse: 100}, {Period: 10 * m, Warn: 100, Refuse: 200}, {Period: h, Warn: 200, Refuse: 400}, {Period: 10 * h, Warn: 500, Refuse: 1000}},
		{{Period: m, Warn: 50, Refuse: 100}, {Period: 10 * m, Warn: 100, Refuse: 200}, {Period: h, Warn: 300, Refuse: 600}, {Period: 10 * h, Warn: 600, Refuse: 1000}},
	}
	school := []limit.Window{{Period: m, Warn: 500, Refuse: 700}, {Period: 10 * m, Warn: 800, Refuse: 1000}, {Period: h, Warn: 2000, Refuse: 4000}, {Period: 10 * h, Warn: 5000, Refuse: 8000}}
	for file, want := range map[string][2][]limit.Window{
		"../mail.toml": design, "../examples/association.toml": design, "../examples/school.toml": {school, school},
	} {
		cfg, err := config.Load(file)
		if err != nil {
			t.Fatal(err)
		}
		table := sendingTable(&settings{Config: cfg})
		if !slices.Equal(table.Account, want[0]) || !slices.Equal(table.Client, want[1]) {
			t.Errorf("%s: %+v", file, table)
		}
		if table.Night != (limit.Night{From: 20 * 60, To: 7 * 60, Divide: 4}) || table.Weekend != 2 || table.Zone != cfg.Location {
			t.Errorf("%s: %+v", file, table)
		}
	}
}

// submit sends a message by submission, and returns the reply when it is refused.
func (s *site) submit(from string, to ...string) error {
	s.Helper()
	c := s.smtp("submission", from)
	return c.SendMail(from, to, strings.NewReader("From: "+from+"\r\nSubject: Hello\r\n\r\nHello\r\n"))
}

// TestClosed closes an account for sending, over a restart: reading and getting
// mail go on, its owner and the postmaster are told, and a verb opens it again.
func TestClosed(t *testing.T) {
	s := newSite(t)
	mailTOML := s.settings(fmt.Sprintf(bob, s.hash))
	s.reload(mailTOML)
	config := filepath.Join(s.dir, "mail.toml")
	who := address.MustParse("bob@example.org")
	outside := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{203, 0, byte(i), 1}) }
	for i := range 12 {
		s.loginSeen(who, auth.Attempt{Protocol: "submission", Remote: outside(i)}, false)
		s.loginSeen(who, auth.Attempt{Protocol: "imap", Remote: outside(i)}, true)
		s.loginSeen(who, auth.Attempt{Protocol: "submission", Remote: netip.MustParseAddr("127.0.0.1")}, true)
	}
	if _, closed := s.sending.IsClosed(who); closed {
		t.Fatal("closed for logins that can't send, or from here")
	}
	for i := range 12 {
		s.loginSeen(who, auth.Attempt{Protocol: "submission", Remote: outside(i)}, true)
	}
	s.events.wait(t, "server.notice", "bob@example.org")
	for range 2 {
		if err := s.submit("bob@example.org", "alice@example.org"); err == nil || !strings.Contains(err.Error(), "closed for sending, because it was logged in to from 10 networks") {
			t.Errorf("%v", err)
		}
		s.down()
		s.up()
	}
	s.send(s.smtp("smtp", ""), "Hello", "z@example.net", "bob@example.org")
	for _, name := range []string{"bob@example.org", "alice@example.org"} {
		mail := strings.Join(s.inbox(name), "")
		for _, want := range []string{"Subject: bob@example.org is closed for sending\r\n", "\r\n  facteur account reopen bob@example.org\r\n", "Auto-Submitted: auto-generated\r\n"} {
			if strings.Count(mail, want) != 1 {
				t.Errorf("%s: not one %q in %s", name, want, mail)
			}
		}
	}
	var out bytes.Buffer
	if err := PrintStatus(&out, config, false); err != nil || !strings.Contains(out.String(), "bob@example.org is closed for sending since ") {
		t.Errorf("%v: %s", err, out.String())
	}
	out.Reset()
	if err := ReopenAccount(t.Context(), &out, config, "bob@example.org"); err != nil || out.String() != "bob@example.org may send again.\n" {
		t.Errorf("%v: %s", err, out.String())
	}
	if err := ReopenAccount(t.Context(), &out, config, "alice@example.org"); err == nil || !strings.Contains(err.Error(), "not closed") {
		t.Error(err)
	}
	if err := ReopenAccount(t.Context(), &out, config, "bobby"); err == nil {
		t.Error("bobby is no account")
	}
	if err := s.submit("bob@example.org", "alice@example.org"); err != nil {
		t.Error(err)
	}
	if st := s.Status(); len(st.Closed) > 0 {
		t.Errorf("%+v", st.Closed)
	}
}

// TestClosedQueue: what an account sent before it was closed, and waits in the queue, is
// held; that of others is not.
func TestClosedQueue(t *testing.T) {
	s := newSite(t)
	s.reload(s.settings(fmt.Sprintf(bob, s.hash)))
	s.setAnswer(func(testkit.Stage, string) string { return "451 4.3.0 Later" })
	for _, from := range []string{"bob@example.org", "alice@example.org"} {
		if err := s.submit(from, "x@example.net"); err != nil {
			t.Fatal(err)
		}
		s.events.wait(t, "msg=spool.deferred")
	}
	who := address.MustParse("bob@example.org")
	for i := range 24 {
		s.loginSeen(who, auth.Attempt{Protocol: "submission", Remote: netip.AddrFrom4([4]byte{203, 0, byte(i), 1})}, i%2 == 0)
	}
	s.events.wait(t, "msg=server.notice", "bob@example.org")
	for _, e := range s.spool.List() {
		if held := e.Hold != ""; held != (e.Sender == who) {
			t.Errorf("%s of %s: %q", e.ID, e.Sender, e.Hold)
		}
	}
	if c := s.spool.Counts(); c.Held != 1 || c.Entries != 2 {
		t.Errorf("%+v", c)
	}
}

// TestSlowedStatus has clients fail to log in; status tells of them, and a verb
// lets them go.
func TestSlowedStatus(t *testing.T) {
	s := newSite(t)
	config := filepath.Join(s.dir, "mail.toml")
	for _, try := range []struct{ name, from string }{{"alice@example.org", "2001:db8::7"}, {"hunter2", "2001:db8::7"}, {"hunter2", "203.0.113.9"}} {
		for range 4 { // the next one would have to wait
			s.auth.Login(t.Context(), auth.Attempt{Name: try.name, Password: "wrong", Remote: netip.MustParseAddr(try.from)})
		}
	}
	var out bytes.Buffer
	if err := PrintStatus(&out, config, false); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"2001:db8::/64 at alice@example.org: each login waits until ", "after 4 failed logins; to lift it: facteur unblock 2001:db8::/64\n",
		"203.0.113.9 at a name that is no account: each login waits until ",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "hunter2") {
		t.Error(out.String())
	}
	for _, c := range []struct{ who, want string }{
		{"2001:db8::9", "8 failed logins of 2001:db8::9 are forgotten."},
		{"203.0.113.0/24", "4 failed logins of 203.0.113.0/24 are forgotten."},
		{"alice@example.org", "4 failed logins of alice@example.org are forgotten."}, // from elsewhere
		{"alice@example.org", ""},
		{"192.0.2.1", ""},
		{"no such thing", ""},
	} {
		out.Reset()
		err := Unblock(t.Context(), &out, config, c.who)
		if got := strings.TrimSuffix(out.String(), "\n"); got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: %q, %v", c.who, got, err)
		}
	}
	if st := s.Status(); len(st.Slowed) > 0 {
		t.Errorf("%+v", st.Slowed)
	}
}

// TestSlowedName is what status calls who is slowed.
func TestSlowedName(t *testing.T) {
	for _, c := range []struct {
		slow control.Slowed
		want string
	}{
		{control.Slowed{Client: "192.0.2.1"}, "192.0.2.1"},
		{control.Slowed{Account: "a@example.org"}, "a@example.org, from unknown addresses"},
		{control.Slowed{Unknown: true}, "a name that is no account, from unknown addresses"},
		{control.Slowed{Client: "192.0.2.1", Account: "a@example.org"}, "192.0.2.1 at a@example.org"},
	} {
		if got := slowedName(c.slow); got != c.want {
			t.Errorf("%+v: %s", c.slow, got)
		}
	}
}

// TestInboundLimits: strangers on the port for other servers are counted, and
// nobody else.
func TestInboundLimits(t *testing.T) {
	s := newSite(t)
	s.inbound = limit.NewInbound(limit.InboundOptions{Connections: 2, Messages: 2})
	mail := func(service, from string) error {
		tx := (*backend)(s.Server).Begin(envelope.Session{ID: "s1", Listener: service, RDNS: "client.example", Remote: netip.AddrPortFrom(netip.MustParseAddr(from), 4000)}, auth.Credential{})
		return tx.Mail(t.Context(), envelope.Sender{ReversePath: address.MustParse("z@example.net")})
	}
	for _, c := range []struct {
		service, from string
		want          int // of five
	}{{"smtp", "203.0.113.1", 2}, {"smtp", "127.0.0.1", 5}, {"submission", "203.0.113.2", 5}, {"lmtp", "203.0.113.2", 5}, {"smtp", "203.0.113.2", 2}} {
		n := 0
		for range 5 {
			err := mail(c.service, c.from)
			if err == nil {
				n++
			} else if fault.As(err).Code != 450 {
				t.Error(err)
			}
		}
		if n != c.want {
			t.Errorf("%s from %s: %d messages", c.service, c.from, n)
		}
	}
	limits := s.inboundLimits(nil)
	n := 0
	for range 5 {
		if f := limits.Rate(netip.MustParseAddr("203.0.113.3")); f == nil {
			n++
		} else if f.Code != 421 {
			t.Error(f)
		}
	}
	if n != 2 {
		t.Errorf("%d connections", n)
	}
	limits.Offended(netip.MustParseAddr("203.0.113.3"))
	if !limits.Hopeless(netip.MustParseAddr("203.0.113.3")) || limits.Hopeless(netip.MustParseAddr("203.0.113.4")) {
		t.Error("not the one who offended")
	}
}
