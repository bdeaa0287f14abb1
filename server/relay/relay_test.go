package relay

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/dns"
	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/testkit"
)

const zone = `
one.example.   MX 10 mx1.example.
two.example.   MX 10 mx1.example.
two.example.   MX 20 mx2.example.
mx1.example.   A 192.0.2.1
mx2.example.   A 192.0.2.2
plain.example. A 192.0.2.1
null.example.  MX 0 .
mine.example.  MX 10 mail.test.
backup.example. MX 10 mx1.example.
backup.example. MX 20 MAIL.test.
backup.example. MX 30 mx2.example.
noaddr.example. MX 10 nowhere.example.
noaddr.example. MX 20 mx2.example.
lost.example.  MX 10 nowhere.example.
text.example.  TXT "nothing else"
any.example.   MX 10 any-host.example.
any-host.example. A 0.0.0.0
six.example.   MX 10 mx6.example.
mx6.example.   AAAA 2001:db8::6
mx6.example.   A 192.0.2.1
alias.example. CNAME one.example.
mail.test.     A 192.0.2.9
`

// world is a relay with a zone and peers.
type world struct {
	relay   *Relay
	dns     *testkit.DNS
	network *testkit.Network
}

func newWorld(t *testing.T, peers map[string]*testkit.Peer) *world {
	t.Helper()
	w := &world{dns: testkit.NewDNS(t, zone), network: new(testkit.Network)}
	for ip, p := range peers {
		w.network.Host(ip+":25", p.Addr())
	}
	resolver, err := dns.New(dns.Options{Servers: []string{w.dns.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	w.relay = New(Options{
		Resolver: resolver, Dial: w.network.DialContext, Log: slog.New(slog.DiscardHandler),
		Timeouts: Timeouts{Connect: time.Second, Command: 300 * time.Millisecond, Final: 300 * time.Millisecond, Quit: 100 * time.Millisecond},
	}, Settings{Hostname: "mail.test"})
	t.Cleanup(w.relay.Close)
	return w
}

const content = "From: alice@example.org\r\nSubject: x\r\n\r\n.dot\r\n..two\r\nplain\r\n.\r\nend\r\n"

func mail(domain string, locals ...string) Message {
	m := Message{
		ID: "id1", Domain: address.Domain(domain), Body: envelope.Bytes(content),
		Sender: envelope.Sender{ReversePath: address.MustParse("alice@example.org")},
	}
	for _, l := range locals {
		m.Recipients = append(m.Recipients, envelope.Recipient{ForwardPath: address.MustParse(l + "@" + domain)})
	}
	return m
}

// many is a Resolver of a domain with a thousand servers, of which there are none.
type many struct {
	fixed
	asked int
}

func (m *many) SecureMX(context.Context, string) (dns.Answer[dns.MX], error) {
	var a dns.Answer[dns.MX]
	for i := range 1000 {
		a.Records = append(a.Records, dns.MX{Host: fmt.Sprintf("mx%d.example", i), Preference: uint16(i)})
	}
	return a, nil
}

func (m *many) SecureAddrs(context.Context, string) (dns.Answer[netip.Addr], error) {
	m.asked++
	return dns.Answer[netip.Addr]{}, errors.New("no answer")
}

// TestManyServers: a hostile domain does not keep an attempt busy with names.
func TestManyServers(t *testing.T) {
	m := new(many)
	r := New(Options{Resolver: m}, Settings{Hostname: "mail.test"})
	defer r.Close()
	if got := brief(r.Attempt(t.Context(), mail("many.example", "bob"))); got != "451 4.4.3" || m.asked != maxHosts {
		t.Errorf("%s after %d look-ups", got, m.asked)
	}
}

// brief is a result in short: "ok", or code, enhanced code and who said so.
func brief(results []Result) string {
	var s []string
	for _, r := range results {
		switch {
		case r.Fault == nil:
			s = append(s, "ok")
		case r.Reached:
			s = append(s, fmt.Sprintf("%d %s reached", r.Fault.Code, r.Fault.Enhanced()))
		case r.Remote == "":
			s = append(s, fmt.Sprintf("%d %s", r.Fault.Code, r.Fault.Enhanced()))
		default:
			s = append(s, fmt.Sprintf("%d %s %s", r.Fault.Code, r.Fault.Enhanced(), r.Remote))
		}
	}
	return strings.Join(s, ", ")
}

// refuse answers at a stage.
func refuse(at testkit.Stage, answer string) func(testkit.Stage, string) string {
	return func(s testkit.Stage, line string) string {
		if s == at && !strings.Contains(line, "good") {
			return answer
		}
		return ""
	}
}

func TestDelivers(t *testing.T) {
	p := testkit.NewPeer(t, testkit.PeerOptions{})
	w := newWorld(t, map[string]*testkit.Peer{"192.0.2.1": p})
	got := w.relay.Attempt(t.Context(), mail("one.example", "a", "b"))
	if brief(got) != "ok, ok" || got[0].Remote != "mx1.example" || got[0].Reply != "250 2.0.0 Ok: queued" || !got[0].DSN || got[0].TLS != "" {
		t.Errorf("%+v", got)
	}
	messages := p.Messages()
	if len(messages) != 1 || messages[0].Data != content || messages[0].Helo != "EHLO mail.test" ||
		messages[0].From != fmt.Sprintf("FROM:<alice@example.org> SIZE=%d BODY=8BITMIME", len(content)) ||
		!slices.Equal(messages[0].To, []string{"TO:<a@one.example>", "TO:<b@one.example>"}) {
		t.Errorf("%+v", messages)
	}
	w.relay.Close()
	if lines := p.Lines(); lines[len(lines)-1] != "QUIT" {
		t.Error(lines)
	}
}

func TestRoute(t *testing.T) {
	for _, c := range []struct{ domain, want, dials string }{
		{"one.example", "ok", "192.0.2.1:25"},
		{"alias.example", "ok", "192.0.2.1:25"},
		{"plain.example", "ok", "192.0.2.1:25"},
		{"[192.0.2.1]", "ok", "192.0.2.1:25"},
		{"[ipv6:2001:db8::7]", "451 4.4.1", "[2001:db8::7]:25"},
		{"six.example", "ok", "[2001:db8::6]:25 192.0.2.1:25"},
		{"backup.example", "ok", "192.0.2.1:25"},
		{"noaddr.example", "ok", "192.0.2.2:25"},
		{"null.example", "556 5.1.10", ""},
		{"mine.example", "554 5.4.6", ""},
		{"mail.test", "554 5.4.6", ""},
		{"lost.example", "550 5.1.2", ""},
		{"nowhere.example", "550 5.1.2", ""},
		{"text.example", "550 5.1.2", ""},
		{"any.example", "550 5.4.4", ""},
		{"broken.example", "451 4.4.3", ""},
	} {
		t.Run(c.domain, func(t *testing.T) {
			p := testkit.NewPeer(t, testkit.PeerOptions{})
			w := newWorld(t, map[string]*testkit.Peer{"192.0.2.1": p, "192.0.2.2": p})
			w.dns.Fail("broken.example", true)
			got := brief(w.relay.Attempt(t.Context(), mail(c.domain, "a")))
			if dials := strings.Join(w.network.Dials(), " "); got != c.want || dials != c.dials {
				t.Errorf("%s, dialled %s; want %s, %s", got, dials, c.want, c.dials)
			}
		})
	}
}

// TestEveryStage lets the first of two servers fail at each stage in each way; the
// second works. want is the fate of the recipients bad@ and good@ with one server,
// with two, and how many messages the second took.
func TestEveryStage(t *testing.T) {
	const temp, perm = "450 4.2.1 Later", "550 5.7.1 No"
	for _, c := range []struct {
		at       testkit.Stage
		answer   string
		one, two string
	}{
		{testkit.Greeting, temp, "450 4.2.1 mx1.example, 450 4.2.1 mx1.example", "ok, ok"},
		{testkit.Greeting, perm, "550 5.7.1 mx1.example, 550 5.7.1 mx1.example", "ok, ok"},
		{testkit.Greeting, "220 mail.TEST ESMTP", "554 5.4.6, 554 5.4.6", "ok, ok"},
		{testkit.Greeting, testkit.Drop, "451 4.4.2, 451 4.4.2", "ok, ok"},
		{testkit.Greeting, testkit.Hang, "451 4.4.2, 451 4.4.2", "ok, ok"},
		{testkit.Greeting, "hello", "451 4.4.2, 451 4.4.2", "ok, ok"},
		{testkit.Greeting, "220", "ok, ok", "ok, ok"},
		{testkit.Ehlo, temp, "450 4.2.1 mx1.example, 450 4.2.1 mx1.example", "ok, ok"},
		{testkit.Ehlo, perm, "ok, ok", "ok, ok"}, // HELO
		{testkit.Ehlo, testkit.Drop, "451 4.4.2, 451 4.4.2", "ok, ok"},
		{testkit.Greeting, "421 4.3.2 Closing", "421 4.3.2 mx1.example, 421 4.3.2 mx1.example", "ok, ok"},
		{testkit.Ehlo, testkit.Reset, "451 4.4.2, 451 4.4.2", "ok, ok"},
		{testkit.Ehlo, testkit.Hang, "451 4.4.2, 451 4.4.2", "ok, ok"},
		{testkit.Ehlo, "421 4.3.2 Closing", "421 4.3.2 mx1.example, 421 4.3.2 mx1.example", "ok, ok"},
		{testkit.Mail, testkit.Reset, "451 4.4.2, 451 4.4.2", "ok, ok"},
		{testkit.Rcpt, testkit.Reset, "451 4.4.2, 451 4.4.2", "ok, ok"},
		{testkit.Data, testkit.Reset, "451 4.4.2, 451 4.4.2", "ok, ok"},
		{testkit.Data, testkit.Hang, "451 4.4.2, 451 4.4.2", "ok, ok"},
		{testkit.Data, "421 4.3.2 Closing", "421 4.3.2 mx1.example, 421 4.3.2 mx1.example", "ok, ok"},
		{testkit.Dot, "421 4.3.2 Closing", "421 4.3.2 mx1.example, 421 4.3.2 mx1.example", "ok, ok"},
		{testkit.Dot, testkit.Reset, "451 4.4.2, 451 4.4.2", "451 4.4.2, 451 4.4.2"},
		{testkit.Dot, "354 odd", "451 4.4.2, 451 4.4.2", "451 4.4.2, 451 4.4.2"},
		{testkit.Mail, temp, "450 4.2.1 mx1.example, 450 4.2.1 mx1.example", "ok, ok"},
		{testkit.Mail, perm, "550 5.7.1 mx1.example, 550 5.7.1 mx1.example", "550 5.7.1 mx1.example, 550 5.7.1 mx1.example"},
		{testkit.Mail, "421 4.3.2 Closing", "421 4.3.2 mx1.example, 421 4.3.2 mx1.example", "ok, ok"},
		{testkit.Mail, testkit.Drop, "451 4.4.2, 451 4.4.2", "ok, ok"},
		{testkit.Mail, testkit.Hang, "451 4.4.2, 451 4.4.2", "ok, ok"},
		{testkit.Mail, "354 odd", "451 4.0.0 mx1.example, 451 4.0.0 mx1.example", "ok, ok"},
		{testkit.Rcpt, temp, "450 4.2.1 mx1.example, ok", "ok, ok"},
		{testkit.Rcpt, perm, "550 5.7.1 mx1.example, ok", "550 5.7.1 mx1.example, ok"},
		{testkit.Rcpt, "550 no\n550 really", "550 5.0.0 mx1.example, ok", "550 5.0.0 mx1.example, ok"},
		{testkit.Rcpt, "552 5.5.3 Too many", "451 4.5.3 mx1.example, ok", "ok, ok"},
		{testkit.Rcpt, "552 5.2.2 Full", "552 5.2.2 mx1.example, ok", "552 5.2.2 mx1.example, ok"},
		{testkit.Rcpt, "421 4.3.2 Closing", "421 4.3.2 mx1.example, 421 4.3.2 mx1.example", "ok, ok"},
		{testkit.Rcpt, testkit.Drop, "451 4.4.2, 451 4.4.2", "ok, ok"},
		{testkit.Rcpt, testkit.Hang, "451 4.4.2, 451 4.4.2", "ok, ok"},
		{testkit.Data, temp, "450 4.2.1 mx1.example, 450 4.2.1 mx1.example", "ok, ok"},
		{testkit.Data, perm, "550 5.7.1 mx1.example, 550 5.7.1 mx1.example", "550 5.7.1 mx1.example, 550 5.7.1 mx1.example"},
		{testkit.Data, "250 odd", "451 4.4.2, 451 4.4.2", "ok, ok"},
		{testkit.Data, testkit.Drop, "451 4.4.2, 451 4.4.2", "ok, ok"},
		{testkit.Dot, temp, "450 4.2.1 mx1.example, 450 4.2.1 mx1.example", "ok, ok"},
		{testkit.Dot, perm, "550 5.7.1 mx1.example, 550 5.7.1 mx1.example", "550 5.7.1 mx1.example, 550 5.7.1 mx1.example"},
		// Who got the whole message may have taken it: no other server is asked.
		{testkit.Dot, testkit.Drop, "451 4.4.2, 451 4.4.2", "451 4.4.2, 451 4.4.2"},
		{testkit.Dot, testkit.Hang, "451 4.4.2, 451 4.4.2", "451 4.4.2, 451 4.4.2"},
		{testkit.Quit, testkit.Drop, "ok, ok", "ok, ok"},
		{testkit.Quit, testkit.Hang, "ok, ok", "ok, ok"},
	} {
		t.Run(fmt.Sprintf("%s %.20s", c.at, strings.Trim(c.answer, "\x00")), func(t *testing.T) {
			t.Parallel()
			first := testkit.NewPeer(t, testkit.PeerOptions{Answer: refuse(c.at, c.answer)})
			second := testkit.NewPeer(t, testkit.PeerOptions{})
			w := newWorld(t, map[string]*testkit.Peer{"192.0.2.1": first, "192.0.2.2": second})
			if got := brief(w.relay.Attempt(t.Context(), mail("one.example", "bad", "good"))); got != c.one {
				t.Errorf("one server: %s, want %s", got, c.one)
			}
			got := brief(w.relay.Attempt(t.Context(), mail("two.example", "bad", "good")))
			if got != c.two {
				t.Errorf("two servers: %s, want %s", got, c.two)
			}
			seen := make(map[string]int)
			for _, m := range append(first.Messages(), second.Messages()...) {
				for _, to := range m.To {
					if strings.Contains(to, "two.example") {
						seen[to]++
					}
				}
			}
			for to, n := range seen {
				if n > 1 {
					t.Errorf("%s got it %d times", to, n)
				}
			}
			if n := strings.Count(got, "ok"); n != len(seen) {
				t.Errorf("%d said to be done, %d done", n, len(seen))
			}
		})
	}
}

// TestBodyBroken: the server breaks off while it gets the content.
func TestBodyBroken(t *testing.T) {
	big := mail("two.example", "a")
	big.Body = envelope.Bytes(strings.Repeat("x: "+strings.Repeat("y", 70)+"\r\n", 200_000))
	for answer, want := range map[string]string{testkit.Drop: "ok", "552 5.3.4 Too big": "552 5.3.4 mx1.example"} {
		first := testkit.NewPeer(t, testkit.PeerOptions{Extensions: []string{}, Answer: refuse(testkit.Body, answer)})
		second := testkit.NewPeer(t, testkit.PeerOptions{Extensions: []string{}})
		w := newWorld(t, map[string]*testkit.Peer{"192.0.2.1": first, "192.0.2.2": second})
		w.relay.opts.Timeouts.Final = 10 * time.Second
		got := brief(w.relay.Attempt(t.Context(), big))
		// The reset that follows an early reply may overtake it.
		if got != want && !(got == "ok" && answer != testkit.Drop) {
			t.Errorf("%q: %s, want %s", answer, got, want)
		}
	}
}

func TestTLS(t *testing.T) {
	good := &tls.Config{Certificates: []tls.Certificate{testkit.Certificate(t, "other.example")}}
	for _, c := range []struct {
		name     string
		config   *tls.Config
		answer   func(testkit.Stage, string) string
		tls      string
		sessions int
	}{
		{"works with any certificate", good, nil, "TLS1.3", 1},
		{"TLS 1.2", &tls.Config{Certificates: good.Certificates, MaxVersion: tls.VersionTLS12}, nil, "TLS1.2", 1},
		{"no certificate", &tls.Config{}, nil, "", 2},
		{"too old", &tls.Config{Certificates: good.Certificates, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}, nil, "", 2},
		{"refused", good, refuse(testkit.StartTLS, "454 4.7.0 Not now"), "", 1},
		{"closing", good, refuse(testkit.StartTLS, "421 4.7.0 Not now"), "", 2},
		{"dropped", good, refuse(testkit.StartTLS, testkit.Drop), "", 2},
		{"garbage in place of a handshake", good, refuse(testkit.Handshake, "250 nonsense"), "", 2},
		{"no handshake", good, refuse(testkit.Handshake, testkit.Hang), "", 2},
		{"injected reply", good, refuse(testkit.StartTLS, "220 Go\r\n250 injected"), "", 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := testkit.NewPeer(t, testkit.PeerOptions{TLS: c.config, Answer: c.answer})
			w := newWorld(t, map[string]*testkit.Peer{"192.0.2.1": p})
			got := w.relay.Attempt(t.Context(), mail("one.example", "a"))
			m := p.Messages()
			if brief(got) != "ok" || got[0].TLS != c.tls || len(m) != 1 || m[0].TLS != (c.tls != "") || p.Sessions() != c.sessions {
				t.Errorf("%+v, %d sessions, %+v", got, p.Sessions(), m)
			}
			if m[0].Helo != "EHLO mail.test" {
				t.Error(m[0].Helo)
			}
		})
	}
}

func TestParameters(t *testing.T) {
	m := mail("one.example", "a", "b", "c")
	m.Sender = envelope.Sender{ReversePath: m.Sender.ReversePath, Body: "7BIT", Ret: "HDRS", EnvID: "a+b=c d"}
	m.Recipients[0].Notify, m.Recipients[0].ORcpt = envelope.NotifyNever, "rfc822;Bob+x@example.org"
	m.Recipients[1].Notify, m.Recipients[1].ORcpt = envelope.NotifySuccess|envelope.NotifyFailure|envelope.NotifyDelay, "rfc822;\r\nRCPT TO:<x@y>"
	m.Recipients[2].ORcpt = "bad type;x"
	p := testkit.NewPeer(t, testkit.PeerOptions{})
	w := newWorld(t, map[string]*testkit.Peer{"192.0.2.1": p})
	if got := brief(w.relay.Attempt(t.Context(), m)); got != "ok, ok, ok" {
		t.Fatal(got)
	}
	got := p.Messages()[0]
	if want := fmt.Sprintf("FROM:<alice@example.org> SIZE=%d RET=HDRS ENVID=a+2Bb+3Dc+20d", len(content)); got.From != want {
		t.Errorf("%s", got.From)
	}
	want := []string{
		"TO:<a@one.example> NOTIFY=NEVER ORCPT=rfc822;Bob+2Bx@example.org",
		"TO:<b@one.example> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;+0D+0ARCPT+20TO:<x@y>",
		"TO:<c@one.example>",
	}
	if !slices.Equal(got.To, want) {
		t.Errorf("%q", got.To)
	}

	bare := testkit.NewPeer(t, testkit.PeerOptions{Extensions: []string{}})
	w = newWorld(t, map[string]*testkit.Peer{"192.0.2.1": bare})
	m.Sender.ReversePath = address.Address{}
	res := w.relay.Attempt(t.Context(), m)
	if got := bare.Messages()[0]; brief(res) != "ok, ok, ok" || res[0].DSN || got.From != "FROM:<>" || got.To[0] != "TO:<a@one.example>" {
		t.Errorf("%+v", got)
	}
}

func TestUTF8AndSize(t *testing.T) {
	utf8Mail := func(from string, header string, to ...string) Message {
		m := mail("one.example", to...)
		m.Sender.SMTPUTF8 = true
		m.Sender.ReversePath = address.MustParse(from)
		m.Body = envelope.Bytes(header + "\r\n\r\nbody\r\n")
		return m
	}
	small := mail("one.example", "a", "b")
	small.Body = envelope.Bytes(strings.Repeat("x", 101))
	for _, c := range []struct {
		name       string
		m          Message
		extensions []string
		want, from string
	}{
		{"offered", utf8Mail("jörg@example.org", "Subject: x", "пётр"), []string{"SMTPUTF8"}, "ok", "FROM:<jörg@example.org> SMTPUTF8"},
		{"sender", utf8Mail("jörg@example.org", "Subject: x", "a"), []string{}, "553 5.6.7", ""},
		{"one recipient", utf8Mail("a@example.org", "Subject: x", "пётр", "a"), []string{}, "553 5.6.7, ok", "FROM:<a@example.org>"},
		{"header", utf8Mail("a@example.org", "Subject: ü", "a"), []string{}, "554 5.6.9", ""},
		{"header, offered", utf8Mail("a@example.org", "Subject: ü", "a"), []string{"SMTPUTF8"}, "ok", "FROM:<a@example.org> SMTPUTF8"},
		{"not needed", utf8Mail("a@example.org", "Subject: x", "a"), []string{}, "ok", "FROM:<a@example.org>"},
		{"too large", small, []string{"SIZE 100"}, "552 5.3.4, 552 5.3.4", ""},
		{"large enough", small, []string{"SIZE 101"}, "ok, ok", "FROM:<alice@example.org> SIZE=101"},
		{"no limit", small, []string{"SIZE"}, "ok, ok", "FROM:<alice@example.org> SIZE=101"},
		{"limit 0 is none", small, []string{"size 0"}, "ok, ok", "FROM:<alice@example.org> SIZE=101"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := testkit.NewPeer(t, testkit.PeerOptions{Extensions: c.extensions})
			w := newWorld(t, map[string]*testkit.Peer{"192.0.2.1": p})
			if got := brief(w.relay.Attempt(t.Context(), c.m)); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			from := ""
			if m := p.Messages(); len(m) > 0 {
				from = m[0].From
			}
			if from != c.from {
				t.Errorf("%q, want %q", from, c.from)
			}
		})
	}
}

// TestHosts: what several servers say outweighs each other.
func TestHosts(t *testing.T) {
	temp := func(t *testing.T) *testkit.Peer {
		return testkit.NewPeer(t, testkit.PeerOptions{Answer: refuse(testkit.Greeting, "450 4.3.2 Later")})
	}
	perm := func(t *testing.T) *testkit.Peer {
		return testkit.NewPeer(t, testkit.PeerOptions{Answer: refuse(testkit.Greeting, "554 5.3.2 No")})
	}
	for _, c := range []struct {
		name string
		mx1  func(*testing.T) *testkit.Peer
		mx2  func(*testing.T) *testkit.Peer
		want string
	}{
		{"both for good", perm, perm, "554 5.3.2 mx2.example"},
		{"for good, for the moment", perm, temp, "450 4.3.2 mx2.example"},
		{"for the moment, for good", temp, perm, "450 4.3.2 mx1.example"},
		{"for good, unreachable", perm, nil, "451 4.4.1"},
		{"both unreachable", nil, nil, "451 4.4.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			peers := make(map[string]*testkit.Peer)
			if c.mx1 != nil {
				peers["192.0.2.1"] = c.mx1(t)
			}
			if c.mx2 != nil {
				peers["192.0.2.2"] = c.mx2(t)
			}
			w := newWorld(t, peers)
			if got := brief(w.relay.Attempt(t.Context(), mail("two.example", "a"))); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	p := testkit.NewPeer(t, testkit.PeerOptions{Answer: refuse(testkit.Rcpt, "450 4.2.1 Later")})
	w := newWorld(t, nil)
	var z strings.Builder
	for i := range 20 {
		fmt.Fprintf(&z, "many.example. MX %d mx%d.many.example.\nmx%d.many.example. A 192.0.2.%d\n", i, i, i, i+1)
	}
	w.dns.Set(t, z.String())
	if got := brief(w.relay.Attempt(t.Context(), mail("many.example", "a"))); got != "451 4.4.1" || len(w.network.Dials()) != maxHops {
		t.Error(got, w.network.Dials())
	}
	for i := range 20 {
		w.network.Host(fmt.Sprintf("192.0.2.%d:25", i+1), p.Addr())
	}
	if got := brief(w.relay.Attempt(t.Context(), mail("many.example", "a"))); got != "450 4.2.1 mx1.many.example" || p.Sessions() != maxSessions {
		t.Error(got, p.Sessions())
	}
}

func TestReplyIsBounded(t *testing.T) {
	for _, answer := range []string{"220 " + strings.Repeat("x", 5000), strings.Repeat("220 x\n", 300) + "220 x"} {
		p := testkit.NewPeer(t, testkit.PeerOptions{Answer: refuse(testkit.Greeting, answer)})
		w := newWorld(t, map[string]*testkit.Peer{"192.0.2.1": p})
		if got := brief(w.relay.Attempt(t.Context(), mail("one.example", "a"))); got != "451 4.4.2" {
			t.Error(got)
		}
	}
}

// TestCancel: the end of the context ends an attempt at once.
func TestCancel(t *testing.T) {
	for _, at := range []testkit.Stage{testkit.Greeting, testkit.Mail, testkit.Dot} {
		ctx, cancel := context.WithCancel(t.Context())
		p := testkit.NewPeer(t, testkit.PeerOptions{Answer: func(s testkit.Stage, line string) string {
			if s == at {
				cancel()
				return testkit.Hang
			}
			return ""
		}})
		w := newWorld(t, map[string]*testkit.Peer{"192.0.2.1": p})
		w.relay.opts.Timeouts = Timeouts{}
		w.relay.opts.Timeouts.fill()
		if got := brief(w.relay.Attempt(ctx, mail("one.example", "a"))); !strings.HasPrefix(got, "451 4.4.") {
			t.Errorf("%s: %s", at, got)
		}
	}
	w := newWorld(t, nil)
	w.network.Host("192.0.2.1:25", testkit.Black)
	w.relay.opts.Timeouts.Connect = 10 * time.Millisecond
	if got := brief(w.relay.Attempt(t.Context(), mail("one.example", "a"))); got != "451 4.4.1" {
		t.Error(got)
	}
}

// unreadable fails in the middle.
type unreadable struct{ envelope.Bytes }

func (u unreadable) ReadAt(p []byte, off int64) (int, error) {
	if off > 0 {
		return 0, errors.New("disk on fire")
	}
	return u.Bytes.ReadAt(p, off)
}

// TestUnreadable: a message that can't be read to its end is never ended.
func TestUnreadable(t *testing.T) {
	big := envelope.Bytes(strings.Repeat("line\r\n", 20_000))
	p := testkit.NewPeer(t, testkit.PeerOptions{})
	w := newWorld(t, map[string]*testkit.Peer{"192.0.2.1": p, "192.0.2.2": p})
	for _, body := range []envelope.Body{unreadable{big}, short{big}} {
		m := mail("two.example", "a")
		m.Body = body
		got := w.relay.Attempt(t.Context(), m)
		if len(p.Messages()) > 0 || !fault.Is(got[0].Fault, fault.Internal) || !fault.Temporary(got[0].Fault) {
			t.Errorf("%s, %d messages", brief(got), len(p.Messages()))
		}
	}
}

// short says to be larger than it is.
type short struct{ envelope.Bytes }

func (s short) Size() int64 { return s.Bytes.Size() + 10 }

func addrs(list ...string) []netip.Addr {
	var all []netip.Addr
	for _, s := range list {
		all = append(all, netip.MustParseAddr(s))
	}
	return all
}

func addrPort(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 25)
}
