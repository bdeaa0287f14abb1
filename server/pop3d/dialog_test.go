package pop3d

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
)

// TestDialogs plays testdata/dialogs/*.txt. A line there is one of
//
//	# text            a comment
//	service: NAME     pop3 (default) or pop3s
//	remote: ADDRESS   what the server takes the client's address for (default 127.0.0.1)
//	options: WORDS    see (*dialog).set
//	C: line           the client sends the line and CRLF
//	R: "octets"       the client sends the octets of a Go string, or "x" * 100
//	S: line           the server sends exactly this line; * stands for anything
//	TLS:              the client makes the handshake
//	EOF:              the server closes the connection
//	X: ACCOUNT UID    somebody removes the message from the backend
//	U: ACCOUNT [UIDS] the backend has these messages
//
// Lines of the client that follow each other are sent in one write. A dialog
// that does not end in EOF: goes on with QUIT, so no reply can be left over.
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
			d := &dialog{t: t, file: file, service: POP3, remote: "127.0.0.1", options: Options{Hostname: "mx.example", TLS: certs.server}, certs: certs, backend: newBackend()}
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
	case "X":
		account, uid, _ := strings.Cut(arg, " ")
		n, err := strconv.Atoi(uid)
		if err != nil {
			d.failf("%v", err)
		}
		d.backend.expunge(account, uint32(n))
	case "U":
		account, want, _ := strings.Cut(arg, " ")
		if got := d.backend.uids(account); got != want {
			d.failf("the messages are %s, want %s", got, want)
		}
	default:
		d.failf("unknown line %q", line)
	}
}

// set reads words such as "plaintext=never" into the options.
func (d *dialog) set(words string) {
	for word := range strings.FieldsSeq(words) {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "plaintext":
			d.options.PlaintextLogin = value
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
	remote := netip.MustParseAddr(d.remote)
	d.conn = newServer(d.t, d.backend, d.options).dial(d.t, d.service, net.TCPAddrFromAddrPort(netip.AddrPortFrom(remote, 4000)))
	d.conn.SetDeadline(time.Now().Add(30 * time.Second))
	if d.service == POP3S {
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
		d.expect("+OK Goodbye*")
		d.expectEOF()
	}
}

// testServer is a Server that must be at rest when the test ends.
type testServer struct{ *Server }

func newServer(t testing.TB, backend *fakeBackend, o Options) *testServer {
	t.Helper()
	return newServerLog(t, backend, o, slog.New(slog.DiscardHandler))
}

func newServerLog(t testing.TB, backend *fakeBackend, o Options, log *slog.Logger) *testServer {
	t.Helper()
	if o.Hostname == "" {
		o.Hostname = "mx.example"
	}
	s := &testServer{New(backend, log, o)}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		backend.atRest(t)
		if len(s.sessions) != 0 || len(s.clients) != 0 || len(s.locked) != 0 {
			t.Errorf("left over: %d sessions, %d clients, %d locks", len(s.sessions), len(s.clients), len(s.locked))
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
