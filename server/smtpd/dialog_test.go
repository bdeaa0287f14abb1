package smtpd

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"facteur/server/buffer"
)

// TestDialogs plays testdata/dialogs/*.txt. A line there is one of
//
//	# text            a comment
//	service: NAME     smtp (default), submission, submissions, lmtp
//	remote: ADDRESS   what the server takes the client's address for (default 192.0.2.1)
//	options: WORDS    see dialogOptions
//	C: line           the client sends the line and CRLF
//	R: "octets"       the client sends the octets of a Go string, or "x" * 100
//	S: line           the server sends exactly this line; * stands for anything
//	TLS:              the client makes the handshake
//	EOF:              the server closes the connection
//	B: call           the backend got this call, see backend_test.go
//
// Lines of the client that follow each other are sent in one write. A dialog
// that does not end in EOF: goes on with QUIT, so no reply can be left over.
// Calls of the backend that no B: names are not looked at, unless there is one.
func TestDialogs(t *testing.T) {
	files, err := filepath.Glob("testdata/dialogs/*.txt")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d dialogs, %v", len(files), err)
	}
	certs := testCertificate(t)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			d := &dialog{t: t, file: file, service: SMTP, remote: "192.0.2.1", options: Options{Hostname: "mx.example", TLS: certs.server}, certs: certs}
			for i, line := range strings.Split(strings.TrimRight(string(text), "\n"), "\n") {
				d.line = i + 1
				d.play(line)
			}
			d.finish()
		})
	}
}

// dialog plays a file.
type dialog struct {
	t       *testing.T
	file    string
	line    int
	service string
	remote  string
	options Options
	certs   *certificate

	backend *fakeBackend
	conn    net.Conn
	r       *bufio.Reader
	out     strings.Builder // lines of the client, not sent yet
	calls   []string        // of the backend, not named yet
	named   bool
	closed  bool
}

func (d *dialog) failf(format string, args ...any) {
	d.t.Helper()
	d.t.Fatalf("%s:%d: %s", d.file, d.line, fmt.Sprintf(format, args...))
}

func (d *dialog) play(line string) {
	d.t.Helper()
	key, arg, ok := strings.Cut(line, ":")
	if line == "" || strings.HasPrefix(line, "#") {
		return
	}
	if !ok {
		d.failf("not a line of a dialog: %q", line)
	}
	arg = strings.TrimPrefix(arg, " ")
	if key != "C" && key != "R" {
		d.send()
	}
	switch key {
	case "service":
		d.service = arg
	case "remote":
		d.remote = arg
	case "options":
		d.set(arg)
	case "C":
		d.connect()
		d.out.WriteString(arg + "\r\n")
	case "R":
		d.connect()
		d.out.WriteString(d.octets(arg))
	case "S":
		d.connect()
		d.expect(arg)
	case "TLS":
		d.connect()
		d.handshake()
	case "EOF":
		d.expectEOF()
	case "B":
		d.expectCall(arg)
	default:
		d.failf("unknown line %q", line)
	}
}

// set reads words such as "recipients=3" into the options.
func (d *dialog) set(words string) {
	for word := range strings.FieldsSeq(words) {
		key, value, _ := strings.Cut(word, "=")
		n, _ := strconv.Atoi(value)
		switch key {
		case "recipients":
			d.options.Recipients = n
		case "size":
			d.options.MessageSize = int64(n)
		case "plaintext":
			d.options.PlaintextLogin = value
		case "trusted":
			d.options.Trusted = append(d.options.Trusted, netip.MustParsePrefix(value))
		case "limit-trusted":
			d.options.LimitTrusted = true
		case "no-tls":
			d.options.TLS = nil
		default:
			d.failf("unknown option %q", word)
		}
	}
}

// octets reads "x" or "x" * 3.
func (d *dialog) octets(arg string) string {
	quoted, times, repeated := strings.Cut(arg, " * ")
	s, err := strconv.Unquote(quoted)
	n := 1
	if err == nil && repeated {
		n, err = strconv.Atoi(times)
	}
	if err != nil {
		d.failf("%v", err)
	}
	return strings.Repeat(s, n)
}

func (d *dialog) connect() {
	if d.conn != nil {
		return
	}
	d.backend = &fakeBackend{}
	remote := netip.MustParseAddr(d.remote)
	d.conn = newServer(d.t, d.backend, d.options).dial(d.t, d.service, net.TCPAddrFromAddrPort(netip.AddrPortFrom(remote, 4000)))
	d.conn.SetDeadline(time.Now().Add(30 * time.Second))
	if d.service == Submissions {
		d.handshake()
	}
	d.r = bufio.NewReader(d.conn)
}

func (d *dialog) handshake() {
	conn := tls.Client(d.conn, d.certs.client)
	if err := conn.Handshake(); err != nil {
		d.failf("handshake: %v", err)
	}
	d.conn = conn
	d.r = bufio.NewReader(conn)
}

func (d *dialog) send() {
	if d.out.Len() == 0 {
		return
	}
	if _, err := d.conn.Write([]byte(d.out.String())); err != nil {
		d.failf("send: %v", err)
	}
	d.out.Reset()
}

func (d *dialog) expect(want string) {
	d.t.Helper()
	line, err := d.r.ReadString('\n')
	got, crlf := strings.CutSuffix(line, "\r\n")
	if err != nil || !crlf {
		d.failf("got %q, %v, want %q", line, err, want)
	}
	if before, after, any := strings.Cut(want, "*"); any {
		if strings.HasPrefix(got, before) && strings.HasSuffix(got, after) {
			return
		}
	}
	if got != want {
		d.failf("\ngot  %q\nwant %q", got, want)
	}
}

func (d *dialog) expectEOF() {
	d.t.Helper()
	if line, err := d.r.ReadString('\n'); err == nil || line != "" {
		d.failf("got %q, want the end of the connection", line)
	} else if ne, ok := err.(net.Error); ok && ne.Timeout() {
		d.failf("the connection is still open")
	}
	d.closed = true
}

func (d *dialog) expectCall(want string) {
	d.t.Helper()
	d.calls = append(d.calls, d.backend.take()...)
	d.named = true
	if len(d.calls) == 0 || d.calls[0] != want {
		d.failf("\ncalls of the backend %q\nwant first %q", d.calls, want)
	}
	d.calls = d.calls[1:]
}

func (d *dialog) finish() {
	d.t.Helper()
	d.send()
	if d.conn == nil {
		d.failf("nothing was said")
	}
	defer d.conn.Close()
	if !d.closed {
		d.out.WriteString("QUIT\r\n")
		d.send()
		d.expect("221 2.0.0 mx.example Closing connection")
		d.expectEOF()
	}
	if d.calls = append(d.calls, d.backend.take()...); d.named && len(d.calls) > 0 {
		d.failf("more calls of the backend: %q", d.calls)
	}
}

// testServer is a Server with a buffer pool of its own.
type testServer struct {
	*Server
	pool *buffer.Pool
}

// newServer returns a server that must have given all its memory back when the
// test ends.
func newServer(t testing.TB, backend Backend, o Options) *testServer {
	t.Helper()
	return newServerLog(t, backend, o, slog.New(slog.DiscardHandler))
}

func newServerLog(t testing.TB, backend Backend, o Options, log *slog.Logger) *testServer {
	t.Helper()
	pool, err := buffer.NewPool(buffer.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if o.Hostname == "" {
		o.Hostname = "mx.example"
	}
	s := &testServer{New(backend, pool, log, o), pool}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if n := pool.InUse(); n != 0 {
			t.Errorf("%d octets of buffers are still in use", n)
		}
		if len(s.sessions) != 0 || len(s.clients) != 0 {
			t.Errorf("left over: %d sessions, %d clients", len(s.sessions), len(s.clients))
		}
	})
	return s
}

// serve listens on loopback until the test ends.
func (s *testServer) serve(t testing.TB, service string) net.Addr {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(ln, service) }()
	t.Cleanup(func() {
		ln.Close()
		<-done
	})
	return ln.Addr()
}

// dial connects over loopback, the server taking the client for remote.
func (s *testServer) dial(t testing.TB, service string, remote net.Addr) net.Conn {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	s.start(&disguised{conn.(*net.TCPConn), remote}, service)
	return client
}

// disguised is a connection with another remote address.
type disguised struct {
	*net.TCPConn
	remote net.Addr
}

func (d *disguised) RemoteAddr() net.Addr { return d.remote }
