package imapd

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-sasl"

	"facteur/server/address"
	"facteur/server/connection"
)

func plain(parts ...string) string {
	return base64.StdEncoding.EncodeToString([]byte(strings.Join(parts, "\x00")))
}

func TestLogin(t *testing.T) {
	w := newWorld(t, nil)
	r := w.raw()
	caps := r.do("CAPABILITY", "OK")
	for _, c := range []string{"IMAP4rev2", "IMAP4rev1", "AUTH=PLAIN", "AUTH=LOGIN", "SASL-IR", "LITERAL+"} {
		if !strings.Contains(caps, c) {
			t.Errorf("no %s in %s", c, caps)
		}
	}
	for _, c := range []string{"STARTTLS", "LOGINDISABLED", "NAMESPACE"} {
		if strings.Contains(caps, c) {
			t.Errorf("%s in %s", c, caps)
		}
	}
	r.do("NAMESPACE", "BAD [CLIENTBUG]")
	r.do("LOGIN alice@example.org wrong", "NO [AUTHENTICATIONFAILED]")
	r.do("LOGIN alice@example.org", "BAD")
	r.do("AUTHENTICATE CRAM-MD5", "NO [CANNOT]")
	r.do("AUTHENTICATE PLAIN "+plain("bob@example.org", "alice@example.org", "demo"), "NO [AUTHORIZATIONFAILED]")
	r.do("AUTHENTICATE PLAIN "+plain("demo"), "BAD")
	r.do("AUTHENTICATE PLAIN ****", "BAD")
	r.do("AUTHENTICATE PLAIN =", "BAD")
	r.talk(`
		C: t AUTHENTICATE PLAIN
		S: + 
		C: *
		S: t BAD ...
		C: t LOGIN {17}
		S: + ...
		C: alice@example.org {4+}
		C: demo
		S: t OK [CAPABILITY IMAP4rev1 ...NAMESPACE...] Logged in
		C: t LOGIN alice@example.org demo
		S: t BAD ...
	`)
	for _, m := range []sasl.Client{
		sasl.NewPlainClient("", "alice@example.org", "demo"),
		sasl.NewPlainClient("alice@example.org", "alice@example.org", "demo"),
		sasl.NewLoginClient("alice@example.org", "demo"),
	} {
		c := w.connect()
		if err := c.Authenticate(m); err != nil {
			t.Error(err)
		}
		if _, err := c.Namespace().Wait(); err != nil {
			t.Error(err)
		}
	}
}

// The exchanges of the mechanisms, with and without initial responses.
func TestAuthenticate(t *testing.T) {
	w := newWorld(t, nil)
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	for _, dialog := range []string{`
		C: a AUTHENTICATE PLAIN
		S: + 
		C: ` + plain("", "alice@example.org", "demo") + `
		S: a OK [CAPABILITY ...`, `
		C: a AUTHENTICATE plain ` + plain("", "alice@example.org", "demo") + `
		S: a OK ...`, `
		C: a AUTHENTICATE LOGIN
		S: + VXNlcm5hbWU6
		C: ` + b64("alice@example.org") + `
		S: + UGFzc3dvcmQ6
		C: ` + b64("demo") + `
		S: a OK ...`, `
		C: a AUTHENTICATE LOGIN ` + b64("alice@example.org") + `
		S: + UGFzc3dvcmQ6
		C: *
		S: a BAD ...`, `
		C: a AUTHENTICATE LOGIN =
		S: + UGFzc3dvcmQ6
		C: ` + b64("demo") + `
		S: a BAD ...`,
	} {
		w.raw().talk(dialog)
	}
}

func TestTLS(t *testing.T) {
	serverTLS, clientTLS := selfSigned(t)
	w := newWorld(t, func(o *Options) { o.TLS, o.PlaintextLogin = serverTLS, false })
	r := w.raw()
	if caps := r.do("CAPABILITY", "OK"); !strings.Contains(caps, "STARTTLS") || !strings.Contains(caps, "LOGINDISABLED") || strings.Contains(caps, "AUTH=") {
		t.Error(caps)
	}
	r.do("LOGIN alice@example.org demo", "NO [PRIVACYREQUIRED]")
	r.do("LOGIN alice@example.org {4}", "NO [PRIVACYREQUIRED]") // no password is asked for
	r.send("t LOGIN {17+}\r\nalice@example.org {4+}\r\ndemo\r\n")
	r.expect("t NO [PRIVACYREQUIRED]")
	r.do("AUTHENTICATE PLAIN", "NO [PRIVACYREQUIRED]")

	c, err := imapclient.DialStartTLS(w.addr, &imapclient.Options{TLSConfig: clientTLS})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Login("alice@example.org", "demo").Wait(); err != nil {
		t.Error(err)
	}

	conn, err := tls.Dial("tcp", w.serve("imaps"), clientTLS)
	if err != nil {
		t.Fatal(err)
	}
	rs := w.rawOn(conn)
	if caps := rs.do("CAPABILITY", "OK"); strings.Contains(caps, "STARTTLS") || !strings.Contains(caps, "AUTH=PLAIN") {
		t.Error(caps)
	}
	rs.do("STARTTLS", "BAD")
	rs.do("LOGIN alice@example.org demo", "OK")
}

// What came in the clear behind STARTTLS must not be taken as said under TLS:
// neither in the same packet, nor after it.
func TestSTARTTLSInjection(t *testing.T) {
	serverTLS, clientTLS := selfSigned(t)
	w := newWorld(t, func(o *Options) { o.TLS = serverTLS })
	r := w.raw()
	r.send("a STARTTLS\r\nb NOOP\r\n")
	r.expect("a OK")
	r.closed()
	r = w.raw()
	r.send("a STARTTLS\r\n")
	r.expect("a OK")
	r.send("b NOOP\r\n")
	if err := tls.Client(r.Conn, clientTLS).Handshake(); err == nil {
		t.Error("the handshake succeeds with a command before it")
	}
}

func TestServeWithoutTLS(t *testing.T) {
	w := newWorld(t, nil)
	conn, err := net.Dial("tcp", w.serve("imaps"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if n, err := conn.Read(make([]byte, 1)); err == nil {
		t.Errorf("read %d octets", n)
	}
	if err := w.server.Serve(nil, "pop3"); err == nil {
		t.Error("served pop3")
	}
}

func TestRecheck(t *testing.T) {
	w := newWorld(t, nil)
	in, out, silent := w.raw(), w.raw(), w.login("")
	in.do("LOGIN alice@example.org demo", "OK")
	in.send("t IDLE\r\n")
	in.expect("+")
	w.server.Recheck()
	out.do("NOOP", "OK")
	w.logins.revoke()
	w.server.Recheck()
	in.expect("* BYE")
	in.closed()
	silent.expect("* BYE")
	silent.closed()
	out.do("LOGIN alice@example.org demo", "NO") // the login ran into the reload
}

func TestShutdown(t *testing.T) {
	w := newWorld(t, nil)
	r := w.login("")
	literal := w.login("")
	literal.send("t CREATE {10}\r\n")
	literal.expect("+")
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := w.server.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	r.expect("* BYE")
	r.closed()
	literal.expect("* BYE")
	late, err := net.Dial("tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close()
	if b, err := io.ReadAll(late); err != nil || !strings.HasPrefix(string(b), "* BYE [UNAVAILABLE] The server is shutting down") {
		t.Errorf("%q, %v", b, err)
	}
}

func TestConnectionLimits(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.LimitTrusted, o.PerClient = true, 2 })
	w.raw()
	second := w.raw()
	refused := func() {
		t.Helper()
		c, err := net.Dial("tcp", w.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		b, err := io.ReadAll(c)
		if err != nil || !strings.HasPrefix(string(b), "* BYE [LIMIT]") {
			t.Errorf("%q, %v", b, err)
		}
	}
	refused()
	second.do("LOGOUT", "OK")
	second.closed()
	w.settled(1)
	w.raw()
	w.server.Apply(Options{Limits: connection.Limits{Connections: 2, LimitTrusted: true}, PlaintextLogin: true})
	refused()
}

// settled waits until the server has n sessions.
func (w *world) settled(n int) {
	w.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); w.server.sessions.Open() != n; {
		if time.Now().After(deadline) {
			w.t.Fatalf("%d sessions, want %d", w.server.sessions.Open(), n)
		}
		<-time.After(time.Millisecond)
	}
}

// far is a connection that seems to come from elsewhere.
type far struct{ net.Conn }

func (far) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 4000} }

// Web mail on this machine gets in when all connections are taken.
func TestLoopbackGetsIn(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Connections = 1 })
	greeting := func(wrap func(net.Conn) net.Conn) string {
		client, server := net.Pipe()
		t.Cleanup(func() { client.Close() })
		go w.server.start(wrap(server), false)
		b := make([]byte, 6)
		if _, err := io.ReadFull(client, b); err != nil {
			t.Fatal(err)
		}
		go io.Copy(io.Discard, client)
		return string(b)
	}
	distant := func(c net.Conn) net.Conn { return far{c} }
	if s := greeting(distant); s != "* OK [" {
		t.Error(s)
	}
	if s := greeting(distant); s != "* BYE " {
		t.Errorf("%s: the last one is for loopback", s)
	}
	w.raw()
}

func TestPreAuthTimeout(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.PreAuthTimeout = 50 * time.Millisecond })
	r := w.raw()
	r.until("* BYE")
	r.closed()
	r = w.raw()
	r.send("a LOGIN {4}\r\n")
	r.until("* BYE")
	r.closed()
}

// Before the login nobody makes the server read or hold much.
func TestPreAuthBounds(t *testing.T) {
	w := newWorld(t, nil)
	r := w.raw()
	r.do("LOGIN {8193}", "BAD [TOOBIG]")
	r.do("LOGIN "+strings.Repeat("x", 9000)+" x", "BAD [TOOBIG]")
	r.send("a LOGIN {100000+}\r\n")
	r.expect("a BAD [TOOBIG]")
	r.expect("* BYE [TOOBIG]")
	r.closed()
	r = w.raw()
	for range maxMistakesPreAuth {
		r.do("NOOP x", "BAD")
	}
	r.expect("* BYE")
	r.closed()
	r = w.raw()
	r.do("POST / HTTP/1.1", "BAD")
	r.expect("* BYE")
	r.closed()
}

func TestUnauthenticate(t *testing.T) {
	w := newWorld(t, nil)
	w.login("").talk(`
		C: a ENABLE UTF8=ACCEPT
		S: * ENABLED UTF8=ACCEPT
		S: a OK ENABLE completed
		C: b UNAUTHENTICATE
		S: b OK [CAPABILITY ...AUTH=PLAIN...] ...
		C: c NAMESPACE
		S: c BAD ...
		C: d UNAUTHENTICATE
		S: d BAD ...
		C: e LOGIN bob@example.org demo
		S: e OK ...
		C: f ENABLE utf8=accept IMAP4rev2 X-NONE
		S: * ENABLED IMAP4rev2 UTF8=ACCEPT
		S: f OK ...
		C: g ENABLE IMAP4rev2
		S: * ENABLED
		S: g OK ...
		C: h NAMESPACE
		S: * NAMESPACE (("" "/")) NIL NIL
		S: h OK ...
		C: i ID ("name" "x" "version" NIL)
		S: * ID ("name" "facteur")
		S: i OK ...
		C: j ID NIL
		S: * ID ("name" "facteur")
		S: j OK ...
		C: k NOOP extra
		S: k BAD ...
		C: * NOOP
		S: * BAD ...
		C: l logout
		S: * BYE ...
		S: l OK ...
	`)
}

// What a client sends behind LOGOUT is not carried out, and does not keep the
// reply from it.
func TestBehindLogout(t *testing.T) {
	w := newWorld(t, nil)
	for range 20 {
		r := w.login("")
		r.send("a LOGOUT\r\nb CREATE x\r\n%s", strings.Repeat("c NOOP\r\n", 1000))
		r.expect("* BYE")
		r.expect("a OK")
		r.closed()
	}
}

// A session that is to end carries out nothing that it has read already, and
// does not wait for the rest of a line.
func TestRecheckPipelined(t *testing.T) {
	for _, behind := range []string{"b CREATE x\r\n", "b NO", "b CREATE {1+}\r\n"} {
		var w *world
		w = newWorld(t, func(o *Options) {
			o.Roles = func(address.Address) []Shared { // asked by NAMESPACE
				w.logins.revoke()
				w.server.Recheck()
				return nil
			}
		})
		r := w.login("")
		r.send("a NAMESPACE\r\n%s", behind)
		r.expect("* NAMESPACE")
		r.expect("a OK")
		r.expect("* BYE")
		r.closed()
		home, err := w.store.Home(alice)
		if err != nil {
			t.Fatal(err)
		}
		if home.Exists("x") {
			t.Errorf("%q is carried out after the end of the login", behind)
		}
	}
}
