package intake

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"facteur/server/auth"
	"facteur/server/dns"
	"facteur/server/envelope"
	"facteur/server/hook"
	"facteur/server/senderauth"
	"facteur/server/testkit"
)

const authZone = `
example.net.            TXT "v=spf1 ip4:192.0.2.1 -all"
_dmarc.example.net.     TXT "v=DMARC1; p=reject"
strict.example.         TXT "v=spf1 ip4:198.51.100.1 -all"
_dmarc.strict.example.  TXT "v=DMARC1; p=reject"
doubtful.example.       TXT "v=spf1 ip4:198.51.100.1 -all"
_dmarc.doubtful.example. TXT "v=DMARC1; p=quarantine"
silent.example.         TXT "v=spf1 -all"
plain.example.          TXT "v=spf1 ip4:198.51.100.1 -all"
broken.example.         TXT "v=spf1 -all"
`

// authWorld is a world that verifies.
type authWorld struct {
	*world
	told []string // results and dispositions
}

func newAuthWorld(t *testing.T) *authWorld {
	w := &authWorld{world: newWorld(t)}
	zone := testkit.NewDNS(t, authZone)
	zone.Fail("_dmarc.broken.example", true)
	resolver, err := dns.New(dns.Options{Servers: []string{zone.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	opts := w.Intake.opts
	opts.Verifier = senderauth.NewVerifier(senderauth.VerifierOptions{Log: slog.New(slog.NewTextHandler(&w.log, nil))}, senderauth.Settings{Resolver: resolver})
	opts.Authenticated = func(env envelope.Envelope, f senderauth.Facts, r senderauth.Results) {
		w.told = append(w.told, fmt.Sprint(f.IP, " ", len(env.Recipients), " ", r.DMARC.Result, " ", r.DMARC.Disposition))
	}
	w.Intake = New(opts, w.settings)
	return w
}

// TestAuthenticity: what becomes of mail that is, and is not, of whom it says.
func TestAuthenticity(t *testing.T) {
	for _, c := range []struct {
		name        string
		mail        mail
		trusted     bool
		want        string
		inbox, junk int
		told        string
	}{
		{name: "passes", mail: mail{from: "z@example.net"}, inbox: 1, told: "192.0.2.1 1 pass none"},
		{name: "forged", mail: mail{from: "z@example.net", header: "From: boss@strict.example\r\n"}, want: "550 5.7.26", told: "192.0.2.1 1 fail reject"},
		{name: "forged, trusted network", mail: mail{from: "z@example.net", header: "From: boss@strict.example\r\n"}, trusted: true, inbox: 1, told: "192.0.2.1 1 fail none"},
		{name: "forged, LMTP", mail: mail{listener: "lmtp", header: "From: boss@strict.example\r\n"}, inbox: 1},
		{name: "own user", mail: mail{as: "alice@example.org"}, inbox: 1},
		{name: "quarantine", mail: mail{from: "a@doubtful.example", header: "From: a@doubtful.example\r\n"}, junk: 1, told: "192.0.2.1 1 fail quarantine"},
		{name: "a list", mail: mail{from: "bounce@example.net", header: "From: a@strict.example\r\nList-Id: <talk.example.net>\r\n"}, junk: 1, told: "192.0.2.1 1 fail quarantine"},
		{name: "SPF fails alone", mail: mail{from: "a@plain.example", header: "From: a@plain.example\r\n"}, inbox: 1, told: "192.0.2.1 1 none none"},
		{name: "sends no mail", mail: mail{from: "a@silent.example", header: "From: a@silent.example\r\n"}, want: "550 5.7.23", told: "192.0.2.1 1 none none"},
		{name: "no answer", mail: mail{from: "a@plain.example", header: "From: a@broken.example\r\n"}, want: "451 4.7.0"},
		{name: "null reverse-path", mail: mail{from: "<>", header: "From: mailer-daemon@example.net\r\n"}, want: "550 5.7.26", told: "192.0.2.1 1 fail reject"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newAuthWorld(t)
			if c.trusted {
				w.settings.Trusted = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
				w.Apply(w.settings)
			}
			c.mail.to = []string{"bob@example.org"}
			r := w.send(c.mail)
			if got := answer(r.first()); got != c.want {
				t.Errorf("%q, want %q: %v", got, c.want, r.first())
			}
			if got := strings.Join(w.told, ", "); got != c.told {
				t.Errorf("told %q", got)
			}
			inbox, junk := w.folder("bob@example.org", "INBOX"), w.folder("bob@example.org", "Junk")
			if len(inbox) != c.inbox || len(junk) != c.junk {
				t.Errorf("%d in INBOX, %d in Junk", len(inbox), len(junk))
			}
			for _, m := range append(inbox, junk...) {
				if strings.Contains(m, "\r\nAuthentication-Results: mail.example.org;\r\n\tspf=") != (c.told != "") {
					t.Errorf("the field is wrong:\n%s", m)
				}
			}
		})
	}
}

// TestOwnMachine: a program here connects from where it connects to, and sends as it
// likes; another address of the same network does not.
func TestOwnMachine(t *testing.T) {
	for remote, want := range map[string]string{"127.0.0.1:4000": "", "127.0.0.2:4000": "550 5.7.26"} {
		w := newAuthWorld(t)
		tx := w.Begin(envelope.Session{Listener: "smtp", Remote: netip.MustParseAddrPort(remote), Local: netip.MustParseAddrPort("127.0.0.1:25")}, auth.Credential{})
		if err := tx.Mail(t.Context(), envelope.Sender{ReversePath: addr("a@strict.example")}); err != nil {
			t.Fatal(err)
		}
		if err := tx.Rcpt(t.Context(), envelope.Recipient{ForwardPath: addr("bob@example.org")}); err != nil {
			t.Fatal(err)
		}
		_, err := tx.Data(context.Background(), envelope.Bytes("From: a@strict.example\r\n\r\nx\r\n"))
		if got := answer(err); got != want {
			t.Errorf("%s: %q", remote, got)
		}
	}
}

// TestForgedFields: nobody else's word in our name stays in a message, and all else does.
func TestForgedFields(t *testing.T) {
	const forged = "Authentication-Results: MAIL.example.org; dmarc=pass\r\nX-Spam-Score: -99\r\nAuthentication-Results:\r\n (x) example.com 1;\r\n\tspf=pass\r\n"
	const kept = "Authentication-Results: mx.example.net; dmarc=fail\r\nFrom: z@example.net\r\n"
	for _, c := range []struct {
		mail  mail
		stays bool
	}{
		{mail{}, false},
		{mail{as: "alice@example.org", header: forged + "From: alice@example.org\r\n"}, false},
		{mail{listener: "lmtp"}, true},
	} {
		w := newAuthWorld(t)
		if c.mail.header == "" {
			c.mail.header = forged + kept
		}
		c.mail.to, c.mail.text = []string{"bob@example.org"}, "the  text \r\n"
		if err := w.send(c.mail).first(); err != nil {
			t.Fatal(err)
		}
		m := w.inbox("bob@example.org")[0]
		want := strings.TrimPrefix(c.mail.header, forged) + "\r\nthe  text \r\n\r\n"
		if c.stays {
			want = c.mail.header + "\r\nthe  text \r\n\r\n"
		}
		if !strings.HasSuffix(m, "\r\n"+want) || strings.Contains(m, "X-Spam-Score") != c.stays {
			t.Errorf("%+v: %s", c.mail, m)
		}
	}
}

// TestScriptsKnow: m.auth at the stages data and submit.
func TestScriptsKnow(t *testing.T) {
	w := newAuthWorld(t)
	var data, submit []hook.Call
	w.hooks([]hook.Hook{{Program: script{stage: hook.Data, calls: &data}}, {Program: script{stage: hook.Submit, calls: &submit}}}, nil)
	for _, m := range []mail{{from: "z@example.net"}, {as: "alice@example.org"}} {
		m.to = []string{"bob@example.org"}
		if err := w.send(m).first(); err != nil {
			t.Fatal(err)
		}
	}
	if a := data[0].Message.Auth; a == nil || a.SPF != "pass" || a.DKIM != "none" || a.DMARC != "pass" || a.ARC != "none" {
		t.Errorf("%+v", a)
	}
	if submit[0].Message.Auth != nil {
		t.Error("own users are not verified")
	}
}

// TestKeptResults: a message that waited here has its results from its own header.
func TestKeptResults(t *testing.T) {
	w := newAuthWorld(t)
	env := envelope.Envelope{ID: "abcdefgh23456723", Recipients: []envelope.Recipient{{ForwardPath: addr("bob@example.org")}}}
	body := envelope.Bytes("Authentication-Results: mail.example.org;\r\n\tspf=fail; dmarc=fail policy.dmarc=quarantine\r\nFrom: z@example.net\r\n\r\nhello\r\n")
	if err := w.Inject(context.Background(), env, body); err != nil {
		t.Fatal(err)
	}
	if n := len(w.folder("bob@example.org", "Junk")); n != 1 {
		t.Errorf("%d in Junk", n)
	}
}
