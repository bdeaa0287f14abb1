package imapd

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-sasl"
)

func TestLogin(t *testing.T) {
	w := newWorld(t, nil)
	r := w.raw()
	caps := r.do("CAPABILITY", "OK")
	for _, c := range []string{"IMAP4rev2", "IMAP4rev1", "AUTH=PLAIN", "AUTH=LOGIN", "SASL-IR"} {
		if !strings.Contains(caps, c) {
			t.Errorf("no %s in %s", c, caps)
		}
	}
	if strings.Contains(caps, "STARTTLS") {
		t.Error("STARTTLS without a certificate")
	}
	r.do("SELECT INBOX", "BAD")
	r.do("LOGIN alice@example.org wrong", "NO [AUTHENTICATIONFAILED]")
	r.do("AUTHENTICATE CRAM-MD5", "NO [CANNOT]")
	r.do("AUTHENTICATE PLAIN "+base64.StdEncoding.EncodeToString([]byte("bob@example.org\x00alice@example.org\x00demo")), "NO [AUTHORIZATIONFAILED]")
	r.do("AUTHENTICATE PLAIN "+base64.StdEncoding.EncodeToString([]byte("demo")), "BAD")
	r.send("t AUTHENTICATE PLAIN\r\n")
	if line := r.expect("+"); line != "+ \r\n" {
		t.Errorf("%q, want an empty challenge", line)
	}
	r.send("*\r\n")
	r.expect("t BAD")
	r.send("t LOGIN {17}\r\n")
	r.expect("+ ")
	r.send("alice@example.org demo\r\n")
	line := r.expect("t OK")
	for _, c := range []string{"APPENDLIMIT=26214400", "SPECIAL-USE", "CREATE-SPECIAL-USE", "MOVE", "UIDPLUS"} {
		if !strings.Contains(line, c) {
			t.Errorf("no %s in %s", c, line)
		}
	}
	for _, m := range []sasl.Client{
		sasl.NewPlainClient("", "alice@example.org", "demo"),
		sasl.NewPlainClient("alice@example.org", "alice@example.org", "demo"),
		sasl.NewLoginClient("alice@example.org", "demo"),
	} {
		c := w.connect()
		c.must(c.Authenticate(m))
		c.selectBox("INBOX")
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
	rs.do("LOGIN alice@example.org demo", "OK")
}

// What came in the clear behind STARTTLS must not be taken as said under TLS.
func TestSTARTTLSInjection(t *testing.T) {
	serverTLS, clientTLS := selfSigned(t)
	w := newWorld(t, func(o *Options) { o.TLS = serverTLS })
	r := w.raw()
	r.send("a STARTTLS\r\nb NOOP\r\n")
	r.expect("a OK")
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
	in, out := w.raw(), w.raw()
	in.do("LOGIN alice@example.org demo", "OK")
	in.do("SELECT INBOX", "OK")
	in.send("t IDLE\r\n")
	in.expect("+")
	w.server.Recheck()
	out.do("NOOP", "OK")
	w.logins.revoke()
	w.server.Recheck()
	in.expect("* BYE")
	if _, err := in.r.ReadByte(); err == nil {
		t.Error("open after BYE")
	}
	out.do("LOGIN alice@example.org demo", "NO") // the login ran into the reload
}

func TestShutdown(t *testing.T) {
	w := newWorld(t, nil)
	r := w.raw()
	r.do("LOGIN alice@example.org demo", "OK")
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := w.server.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	r.expect("* BYE")
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if err := w.server.Serve(ln, "imap"); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

func TestConnectionLimits(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.MaxPerClient = 2 })
	w.raw()
	second := w.raw()
	conn, err := net.Dial("tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	buf := make([]byte, 100)
	if n, _ := conn.Read(buf); !strings.HasPrefix(string(buf[:n]), "* BYE [LIMIT]") {
		t.Errorf("%q", buf[:n])
	}
	second.do("LOGOUT", "OK")
	if _, err := second.r.ReadByte(); err == nil {
		t.Error("open after LOGOUT")
	}
	w.server.Apply(Options{MaxPerClient: 3, PlaintextLogin: true})
	w.raw()
}

func TestPreAuthTimeout(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.PreAuthTimeout = 50 * time.Millisecond })
	w.raw().until("* BYE")
}

func TestPreAuthAllowance(t *testing.T) {
	w := newWorld(t, nil)
	r := w.raw()
	r.send("a SEARCH TEXT {4096}\r\n")
	r.expect("+")
	for range 100 {
		if _, err := r.Write(append([]byte(" TEXT {4096+}\r\n"), make([]byte, 4096)...)); err != nil {
			return
		}
	}
	for {
		if _, err := r.r.ReadByte(); err != nil {
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() {
				t.Error("the server goes on reading")
			}
			return
		}
	}
}

func TestEnableRev2(t *testing.T) {
	w := newWorld(t, nil)
	w.add(w.box("INBOX"), "Subject: x\n\n")
	r := w.raw()
	r.do("LOGIN alice@example.org demo", "OK")
	if s := r.do("SELECT INBOX", "OK"); strings.Contains(s, "* LIST") || !strings.Contains(s, "* 1 RECENT") {
		t.Error(s)
	}
	r.do("ENABLE IMAP4rev2", "OK")
	if s := r.do("SELECT INBOX", "OK"); !strings.Contains(s, `* LIST () "/" INBOX`) || strings.Contains(s, "RECENT") {
		t.Error(s)
	}
	if s := r.do("SEARCH ALL", "OK"); !strings.Contains(s, "* ESEARCH (TAG \"t\") ALL 1") {
		t.Error(s)
	}
	if s := r.do("FETCH 1 FLAGS", "OK"); strings.Contains(s, "Recent") {
		t.Error(s)
	}
}

func TestAppendLimitIsLive(t *testing.T) {
	w := newWorld(t, nil)
	c := w.login("")
	w.server.Apply(Options{AppendLimit: 10, PlaintextLogin: true})
	_, err := c.append("INBOX", "Subject: more than ten octets\n\n", nil)
	c.refused(err, imap.StatusResponseTypeNo, imap.ResponseCodeTooBig)
}
