package imapd

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
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
	w := &world{t: t, dir: t.TempDir(), logins: new(logins)}
	tmp := filepath.Join(w.dir, "tmp")
	if err := safefile.MkdirAll(safefile.OS, tmp); err != nil {
		t.Fatal(err)
	}
	var err error
	if w.store, err = mailbox.Open(mailbox.Options{Dir: filepath.Join(w.dir, "domains"), Tmp: tmp}); err != nil {
		t.Fatal(err)
	}
	opt := Options{Store: w.store, Auth: w.logins, PlaintextLogin: true}
	if change != nil {
		change(&opt)
	}
	w.server = New(opt)
	w.addr = w.serve("imap")
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
		if err := <-ended; err != nil {
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

// add delivers a message and returns its UID.
func (w *world) add(box *mailbox.Mailbox, text string, flags ...string) imap.UID {
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
	return imap.UID(uid)
}

// client is an imapclient that notes what the server tells unasked.
type client struct {
	*imapclient.Client
	t      testing.TB
	events chan string
}

func (w *world) connect() *client {
	w.t.Helper()
	c, err := net.Dial("tcp", w.addr)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.client(c)
}

func (w *world) client(conn net.Conn) *client {
	c := &client{t: w.t, events: make(chan string, 1000)}
	c.Client = imapclient.New(conn, &imapclient.Options{UnilateralDataHandler: &imapclient.UnilateralDataHandler{
		Expunge: func(n uint32) { c.events <- fmt.Sprintf("expunge %d", n) },
		Mailbox: func(m *imapclient.UnilateralDataMailbox) {
			if m.NumMessages != nil {
				c.events <- fmt.Sprintf("exists %d", *m.NumMessages)
			}
			if m.Flags != nil {
				c.events <- "flags"
			}
		},
		Fetch: func(m *imapclient.FetchMessageData) {
			data, err := m.Collect()
			if err != nil {
				c.events <- err.Error()
				return
			}
			c.events <- fmt.Sprintf("fetch %d %s", data.SeqNum, flagString(data.Flags))
		},
	}})
	w.t.Cleanup(func() { c.Close() })
	return c
}

func flagString(flags []imap.Flag) string {
	var list []string
	for _, f := range flags {
		if f != flagRecent {
			list = append(list, string(f))
		}
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

// login connects as alice; a mailbox name selects it.
func (w *world) login(box string) *client {
	w.t.Helper()
	c := w.connect()
	c.must(c.Login("alice@example.org", "demo").Wait())
	if box != "" {
		c.selectBox(box)
	}
	return c
}

func (c *client) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) selectBox(name string) *imap.SelectData {
	c.t.Helper()
	data, err := c.Select(name, nil).Wait()
	c.must(err)
	return data
}

// refused checks that err is a NO or BAD with that code.
func (c *client) refused(err error, typ imap.StatusResponseType, code imap.ResponseCode) {
	c.t.Helper()
	e, ok := err.(*imap.Error)
	if !ok || e.Type != typ || e.Code != code {
		c.t.Errorf("%v, want %s [%s]", err, typ, code)
	}
}

// told checks what the server told unasked since it was last called; NOOP makes
// sure that it told all.
func (c *client) told(want ...string) {
	c.t.Helper()
	c.must(c.Noop().Wait())
	for _, e := range want {
		if got := c.next(); got != e {
			c.t.Errorf("told %q, want %q", got, e)
		}
	}
	select {
	case e := <-c.events:
		c.t.Errorf("told %q too", e)
	default:
	}
}

// next waits for the next thing that the server tells unasked.
func (c *client) next() string {
	c.t.Helper()
	select {
	case e := <-c.events:
		return e
	case <-time.After(10 * time.Second):
		c.t.Fatal("nothing was told")
		return ""
	}
}

func (c *client) append(box, text string, options *imap.AppendOptions) (*imap.AppendData, error) {
	b := crlf(text)
	cmd := c.Append(box, int64(len(b)), options)
	if _, err := cmd.Write(b); err != nil {
		return nil, err
	}
	if err := cmd.Close(); err != nil {
		return nil, err
	}
	return cmd.Wait()
}

// uids lists the UIDs of the selected mailbox by sequence number.
func (c *client) uids() []imap.UID {
	c.t.Helper()
	data, err := c.UIDSearch(&imap.SearchCriteria{}, nil).Wait()
	c.must(err)
	return data.AllUIDs()
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
