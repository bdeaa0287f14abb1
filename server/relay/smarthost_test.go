package relay

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"facteur/server/dns"
	"facteur/server/testkit"
)

const secret = "secret-that-is-not-shown"

// smartWorld is a relay that sends through mx1.example on a port.
func smartWorld(t *testing.T, ca *testkit.Authority, s Smarthost, p *testkit.Peer) (*world, *bytes.Buffer) {
	t.Helper()
	w := newWorld(t, nil)
	if p != nil {
		w.network.Host(fmt.Sprintf("192.0.2.1:%d", s.Port), p.Addr())
	}
	resolver, err := dns.New(dns.Options{Servers: []string{w.dns.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	w.relay = New(Options{
		Resolver: resolver, Dial: w.network.DialContext, Roots: ca.Pool(), Log: slog.New(slog.NewTextHandler(&log, nil)),
		Timeouts:  Timeouts{Connect: time.Second, Command: time.Second},
		TLSResult: func(r TLSResult) { t.Errorf("told of the smarthost's TLS: %+v", r) },
	}, Settings{Hostname: "mail.test", Smarthost: &s})
	t.Cleanup(w.relay.Close)
	return w, &log
}

func TestSmarthost(t *testing.T) {
	ca := testkit.NewAuthority(t)
	good := &tls.Config{Certificates: []tls.Certificate{ca.Issue(t, "mx1.example")}}
	other := &tls.Config{Certificates: []tls.Certificate{ca.Issue(t, "other.example")}}
	literal := &tls.Config{Certificates: []tls.Certificate{testkit.Certificate(t, "x")}}
	logins := map[string]string{"me": secret}
	login := Smarthost{Host: "mx1.example", Port: 587, Login: "me", Password: secret}
	with := func(edit func(*Smarthost)) Smarthost {
		s := login
		edit(&s)
		return s
	}
	for _, c := range []struct {
		name    string
		s       Smarthost
		peer    testkit.PeerOptions
		message func(*Message)
		want    string
		trouble string
	}{
		{"STARTTLS and login", login, testkit.PeerOptions{TLS: good, Logins: logins}, nil, "ok", ""},
		{"TLS from the start", with(func(s *Smarthost) { s.Port = 465 }), testkit.PeerOptions{TLS: good, Implicit: true, Logins: logins}, nil, "ok", ""},
		{"LOGIN", login, testkit.PeerOptions{TLS: good, Logins: logins, Extensions: []string{"X-AUTH LOGIN"}}, nil, "ok", ""},
		{"no login", Smarthost{Host: "mx1.example", Port: 25}, testkit.PeerOptions{TLS: good}, nil, "ok", ""},
		{"an address", Smarthost{Host: "192.0.2.1", Port: 25, TLS: TLSEncrypted}, testkit.PeerOptions{TLS: literal}, nil, "ok", ""},
		{"wrong password", with(func(s *Smarthost) { s.Password = "x" }), testkit.PeerOptions{TLS: good, Logins: logins}, nil, "451 4.7.8 reached", "Logging in at mx1.example failed: it answered 535 5.7.8 Wrong name or password"},
		{"login refused for now", login, testkit.PeerOptions{TLS: good, Logins: logins, Answer: refuse(testkit.Auth, "454 4.7.0 Later")}, nil, "451 4.7.8 reached", "Logging in at mx1.example failed: it answered 454 4.7.0 Later"},
		{"dropped at login", login, testkit.PeerOptions{TLS: good, Logins: logins, Answer: refuse(testkit.Auth, testkit.Drop)}, nil, "451 4.4.2 reached", "mx1.example closed the connection"},
		{"no AUTH", login, testkit.PeerOptions{TLS: good}, nil, "451 4.7.8 reached", "Logging in at mx1.example failed: it offers neither AUTH PLAIN nor AUTH LOGIN"},
		{"another AUTH", login, testkit.PeerOptions{TLS: good, Logins: logins, Extensions: []string{"X-AUTH GSSAPI"}}, nil, "451 4.7.8 reached", "Logging in at mx1.example failed: it offers neither AUTH PLAIN nor AUTH LOGIN"},
		{"no TLS", login, testkit.PeerOptions{Logins: logins}, nil, "451 4.7.4", ""},
		{"another name", login, testkit.PeerOptions{TLS: other, Logins: logins}, nil, "451 4.7.5", ""},
		{"any certificate", with(func(s *Smarthost) { s.TLS = TLSEncrypted }), testkit.PeerOptions{TLS: other, Logins: logins}, nil, "ok", ""},
		{"optional, without", Smarthost{Host: "mx1.example", Port: 25, TLS: TLSOptional}, testkit.PeerOptions{}, nil, "ok", ""},
		{"optional, with", Smarthost{Host: "mx1.example", Port: 25, TLS: TLSOptional}, testkit.PeerOptions{TLS: other}, nil, "ok", ""},
		{"optional, TLS from the start, no handshake", Smarthost{Host: "mx1.example", Port: 465, TLS: TLSOptional}, testkit.PeerOptions{}, nil, "451 4.7.5", ""},
		{"no such host", Smarthost{Host: "nowhere.example", Port: 25}, testkit.PeerOptions{}, nil, "451 4.1.2", ""},
		{"REQUIRETLS", login, testkit.PeerOptions{TLS: good, Logins: logins, Extensions: []string{"REQUIRETLS"}}, requireTLS, "ok", ""},
		{"REQUIRETLS not offered", login, testkit.PeerOptions{TLS: good, Logins: logins}, requireTLS, "550 5.7.30 reached", ""},
		{"REQUIRETLS, not verified", with(func(s *Smarthost) { s.TLS = TLSEncrypted }), testkit.PeerOptions{TLS: good, Logins: logins, Extensions: []string{"REQUIRETLS"}}, requireTLS, "550 5.7.10", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := testkit.NewPeer(t, c.peer)
			w, log := smartWorld(t, ca, c.s, p)
			for _, domain := range []string{"two.example", "null.example", "nowhere.test"} { // whatever the domain
				m := mail(domain, "a")
				if c.message != nil {
					c.message(&m)
				}
				got := brief(w.relay.Attempt(t.Context(), m))
				if c.trouble != "" && domain != "two.example" { // remembered, without a server
					c.want = strings.TrimSuffix(c.want, " reached")
				}
				if got != c.want {
					t.Errorf("%s: %s, want %s", domain, got, c.want)
				}
			}
			if w.relay.Trouble() != c.trouble {
				t.Errorf("%q", w.relay.Trouble())
			}
			if strings.Contains(log.String(), secret) || strings.Contains(log.String(), "login_failed") != (c.trouble != "") {
				t.Error(log.String())
			}
			messages := p.Messages()
			if (len(messages) == 3) != (c.want == "ok") || p.Sessions() > 1 && (c.want == "ok" || c.trouble != "") {
				t.Errorf("%d messages in %d sessions", len(messages), p.Sessions())
			}
			if len(messages) > 0 && messages[0].Login != c.s.Login {
				t.Errorf("%+v", messages[0])
			}
			for _, line := range p.Lines() {
				if !strings.HasPrefix(c.want, "ok") && strings.HasPrefix(line, "MAIL") {
					t.Error(line)
				}
			}
		})
	}
}

// TestSmarthostPasswordChanged: a new password is tried at once.
func TestSmarthostPasswordChanged(t *testing.T) {
	ca := testkit.NewAuthority(t)
	p := testkit.NewPeer(t, testkit.PeerOptions{TLS: &tls.Config{Certificates: []tls.Certificate{ca.Issue(t, "mx1.example")}}, Logins: map[string]string{"me": secret}})
	s := Smarthost{Host: "mx1.example", Port: 587, Login: "me", Password: "old"}
	w, _ := smartWorld(t, ca, s, p)
	w.send(t, "451 4.7.8 reached", "a")
	w.send(t, "451 4.7.8", "a")
	s.Password = secret
	w.relay.Apply(Settings{Hostname: "mail.test", Smarthost: &s})
	w.send(t, "ok", "a")
	if w.relay.Trouble() != "" || p.Sessions() != 2 {
		t.Error(w.relay.Trouble(), p.Sessions())
	}
}

// submission is a backend of go-smtp that wants a login.
type submission struct{ recorder }

func (s *submission) NewSession(*smtp.Conn) (smtp.Session, error) { return s, nil }

func (s *submission) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *submission) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, name, password string) error {
		if name != "me" || password != secret {
			return smtp.ErrAuthFailed
		}
		return nil
	}), nil
}

// TestSecondSmarthost: the server of go-smtp takes our login, and REQUIRETLS.
func TestSecondSmarthost(t *testing.T) {
	ca := testkit.NewAuthority(t)
	backend := &submission{}
	s := smtp.NewServer(backend)
	s.Domain, s.EnableREQUIRETLS = "second.example", true
	s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{ca.Issue(t, "mx1.example")}}
	w, _ := smartWorld(t, ca, Smarthost{Host: "mx1.example", Port: 587, Login: "me", Password: secret}, nil)
	w.network.Host("192.0.2.1:587", listen(t, s))
	m := mail("one.example", "a")
	m.Sender.RequireTLS = true
	for range 2 {
		if got := brief(w.relay.Attempt(t.Context(), m)); got != "ok" {
			t.Fatal(got)
		}
	}
	if backend.data != content || !backend.mail.RequireTLS {
		t.Errorf("%+v", backend.recorder)
	}
}
