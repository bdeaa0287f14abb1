package imapd

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2/imapclient"

	"facteur/server/address"
	"facteur/server/auth"
	"facteur/server/fault"
	"facteur/server/mailbox"
	"facteur/server/safefile"
)

var alice = address.MustParse("alice@example.org")

// logins is an Authenticator: anybody may log in with the password "demo".
type logins struct {
	mu      sync.Mutex
	revoked bool
}

func (l *logins) Login(_ context.Context, a auth.Attempt) (auth.Credential, error) {
	account, err := address.Parse(a.Name)
	if err != nil || a.Password != "demo" {
		return auth.Credential{}, fault.New(fault.AuthFailed, "")
	}
	return auth.Credential{Account: account}, nil
}

func (l *logins) Valid(auth.Credential) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.revoked
}

func (l *logins) revoke() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.revoked = true
}

// world is a server over a store of its own.
type world struct {
	t      testing.TB
	dir    string
	logins *logins
	store  *mailbox.Store
	server *Server
	addr   string // of service "imap"
}

func newWorld(t testing.TB, change func(*Options)) *world {
	t.Helper()
	w := newBareWorld(t, change)
	w.addr = w.serve("imap")
	return w
}

// newBareWorld is newWorld without a listener.
func newBareWorld(t testing.TB, change func(*Options)) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), logins: new(logins)}
	tmp := filepath.Join(w.dir, "tmp")
	if err := safefile.MkdirAll(safefile.OS, tmp); err != nil {
		t.Fatal(err)
	}
	var err error
	if w.store, err = mailbox.Open(mailbox.Options{Dir: filepath.Join(w.dir, "domains"), Tmp: tmp}); err != nil {
		t.Fatal(err)
	}
	opt := Options{Store: w.store, Auth: w.logins, PlaintextLogin: true, Log: slog.New(panics{t, slog.DiscardHandler})}
	if change != nil {
		change(&opt)
	}
	w.server = New(opt)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := w.server.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		w.check()
		if err := w.store.Close(); err != nil {
			t.Errorf("closing the store: %v", err)
		}
	})
	return w
}

// panics is a log in which a panic of a session fails the test.
type panics struct {
	t testing.TB
	slog.Handler
}

// Enabled is that of slog.Handler.
func (panics) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelError }

// Handle is that of slog.Handler.
func (p panics) Handle(_ context.Context, r slog.Record) error {
	p.t.Errorf("logged: %s", r.Message)
	r.Attrs(func(a slog.Attr) bool {
		p.t.Log(a)
		return true
	})
	return nil
}

// WithAttrs is that of slog.Handler.
func (p panics) WithAttrs([]slog.Attr) slog.Handler { return p }

// WithGroup is that of slog.Handler.
func (p panics) WithGroup(string) slog.Handler { return p }

// check holds what is in memory against what lies on disk.
func (w *world) check() {
	home, err := w.store.Home(alice)
	if err == nil {
		err = home.Check()
	}
	if err != nil {
		w.t.Error(err)
	}
}

// serve starts a service and returns its address.
func (w *world) serve(service string) string {
	w.t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- w.server.Serve(ln, service) }()
	w.t.Cleanup(func() {
		ln.Close()
		if err := <-ended; !errors.Is(err, net.ErrClosed) {
			w.t.Errorf("Serve: %v", err)
		}
	})
	return ln.Addr().String()
}

func (w *world) box(name string) *mailbox.Mailbox {
	w.t.Helper()
	home, err := w.store.Home(alice)
	if err != nil {
		w.t.Fatal(err)
	}
	box, err := home.Mailbox(name)
	if err != nil {
		w.t.Fatal(err)
	}
	return box
}

// crlf returns text with the line ends of the wire.
func crlf(text string) []byte { return []byte(strings.ReplaceAll(text, "\n", "\r\n")) }

// add delivers a message and returns its UID.
func (w *world) add(box *mailbox.Mailbox, text string, flags ...string) mailbox.UID {
	w.t.Helper()
	d, err := w.store.Draft()
	if err != nil {
		w.t.Fatal(err)
	}
	defer d.Discard()
	if _, err := d.Write(crlf(text)); err != nil {
		w.t.Fatal(err)
	}
	if err := d.Sync(); err != nil {
		w.t.Fatal(err)
	}
	uid, err := box.Add(d, mailbox.AddOptions{Flags: flags, Last: true})
	if err != nil {
		w.t.Fatal(err)
	}
	if err := box.Sync(); err != nil {
		w.t.Fatal(err)
	}
	return uid
}

// connect returns a client of go-imap: the second implementation.
func (w *world) connect() *imapclient.Client {
	w.t.Helper()
	conn, err := net.Dial("tcp", w.addr)
	if err != nil {
		w.t.Fatal(err)
	}
	c := imapclient.New(conn, nil)
	w.t.Cleanup(func() { c.Close() })
	return c
}

// rawConn speaks IMAP by hand.
type rawConn struct {
	net.Conn
	t testing.TB
	r *bufio.Reader
}

func (w *world) raw() *rawConn {
	w.t.Helper()
	c, err := net.Dial("tcp", w.addr)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.rawOn(c)
}

func (w *world) rawOn(c net.Conn) *rawConn {
	w.t.Helper()
	w.t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		w.t.Fatal(err)
	}
	r := &rawConn{c, w.t, bufio.NewReader(c)}
	r.expect("* OK")
	return r
}

func (r *rawConn) send(format string, args ...any) {
	r.t.Helper()
	if _, err := fmt.Fprintf(r, format, args...); err != nil {
		r.t.Fatal(err)
	}
}

// until reads up to a line that begins with prefix, and returns all of it.
func (r *rawConn) until(prefix string) string {
	r.t.Helper()
	var all strings.Builder
	for {
		line, err := r.r.ReadString('\n')
		all.WriteString(line)
		if err != nil {
			r.t.Fatalf("%v after %q, want %q", err, all.String(), prefix)
		}
		if strings.HasPrefix(line, prefix) {
			return all.String()
		}
	}
}

// expect reads one line, which begins with prefix.
func (r *rawConn) expect(prefix string) string {
	r.t.Helper()
	line, err := r.r.ReadString('\n')
	if err != nil || !strings.HasPrefix(line, prefix) {
		r.t.Fatalf("%q, %v, want %q", line, err, prefix)
	}
	return line
}

// do sends a command and returns the whole answer; the last line begins with
// "t " and want.
func (r *rawConn) do(command, want string) string {
	r.t.Helper()
	r.send("t %s\r\n", command)
	answer := r.until("t ")
	lines := strings.Split(strings.TrimSuffix(answer, "\r\n"), "\r\n")
	if last := lines[len(lines)-1]; !strings.HasPrefix(last, "t "+want) {
		r.t.Errorf("%s: %s, want %s", command, last, want)
	}
	return answer
}

// login connects as alice, and selects a mailbox unless it is "".
func (w *world) login(box string) *rawConn {
	w.t.Helper()
	return w.loginAs(alice.String(), box)
}

func (w *world) loginAs(name, box string) *rawConn {
	w.t.Helper()
	r := w.raw()
	r.do("LOGIN "+name+" demo", "OK")
	if box != "" {
		r.do("SELECT "+box, "OK")
	}
	return r
}

// talk follows a dialog: what stands behind "C: " is sent, "S: " expected, where
// "..." stands for anything within the line.
func (r *rawConn) talk(dialog string) {
	r.t.Helper()
	for line := range strings.SplitSeq(strings.Trim(dialog, "\n\t"), "\n") {
		line = strings.TrimLeft(line, "\t ")
		if text, ok := strings.CutPrefix(line, "C: "); ok {
			r.send("%s\r\n", text)
			continue
		}
		want, ok := strings.CutPrefix(line, "S: ")
		if !ok {
			r.t.Fatalf("%q is no line of a dialog", line)
		}
		got, err := r.r.ReadString('\n')
		if err != nil || !like(strings.TrimSuffix(got, "\r\n"), want) {
			r.t.Fatalf("%q, %v, want %q", got, err, want)
		}
	}
}

// like tells whether a line is as wanted, with "..." for anything.
func like(line, want string) bool {
	parts := strings.Split(want, "...")
	rest, ok := strings.CutPrefix(line, parts[0])
	if !ok || len(parts) == 1 {
		return ok && rest == ""
	}
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(rest, part)
		if i < 0 {
			return false
		}
		rest = rest[i+len(part):]
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}

// closed checks that the server has closed the connection.
func (r *rawConn) closed() {
	r.t.Helper()
	if b, err := r.r.ReadByte(); err != io.EOF {
		r.t.Errorf("%q, %v, want the end", b, err)
	}
}

// selfSigned makes a TLS configuration for a server, and one for its clients.
func selfSigned(t testing.TB) (server, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"mail.example.org"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}},
		&tls.Config{RootCAs: roots, ServerName: "mail.example.org"}
}

// zipConn is a connection under compression.
type zipConn struct {
	net.Conn
	z *compression
}

// Read is that of net.Conn.
func (c zipConn) Read(p []byte) (int, error) { return c.z.Read(p) }

// Write is that of net.Conn; all goes out at once, in several pieces. Behind the
// one that holds LOGOUT the server may have closed: what is read tells.
func (c zipConn) Write(p []byte) (int, error) {
	n, err := c.z.Write(p)
	if err == nil {
		err = c.z.rest()
	}
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
		err = nil
	}
	return n, err
}

func newLineReader(r io.Reader) *bufio.Reader { return bufio.NewReader(r) }
