package testkit

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Dialogs plays testdata/dialogs/*.txt, of which there must be most, each in a
// parallel test with a Dialog of its own. A line there is one of
//
//	# text            a comment
//	service: NAME     instead of Dialog.Service
//	remote: ADDRESS   what the server takes the client's address for, instead of Dialog.Remote
//	C: line           the client sends the line and CRLF
//	R: "octets"       the client sends the octets of a Go string, or "x" * 100
//	S: line           the server sends exactly this line; * stands for anything
//	TLS:              the client makes the handshake
//	EOF:              the server closes the connection
//
// or one that Dialog.Line knows. Lines of the client that follow each other are
// sent in one write. A dialog that does not end in EOF: goes on with QUIT, so no
// reply can be left over.
func Dialogs(t *testing.T, least int, dialog func(t *testing.T) *Dialog) {
	files, err := filepath.Glob("testdata/dialogs/*.txt")
	if err != nil || len(files) < least {
		t.Fatalf("%d dialogs, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			d := dialog(t)
			d.t, d.file = t, file
			for i, line := range strings.Split(strings.TrimRight(string(text), "\n"), "\n") {
				d.line = i + 1
				d.play(line)
			}
			d.finish()
		})
	}
}

// Dialog is a player of a dialog.
type Dialog struct {
	Service  string
	Remote   string                // an IP address
	TLSFirst string                // the service that begins with the handshake
	Client   *tls.Config           // for the handshake
	Goodbye  string                // the reply to QUIT, as behind S:
	Start    func(d *Dialog) Start // for the first line that is said
	// Line plays a line of the test's own; false: it does not know it.
	Line func(d *Dialog, key, arg string) bool

	t      *testing.T
	file   string
	line   int
	conn   net.Conn
	r      *bufio.Reader
	out    strings.Builder // lines of the client, not sent yet
	closed bool
}

// Failf ends the test at this line of the dialog.
func (d *Dialog) Failf(format string, args ...any) {
	d.t.Helper()
	d.t.Fatalf("%s:%d: %s", d.file, d.line, fmt.Sprintf(format, args...))
}

func (d *Dialog) play(line string) {
	d.t.Helper()
	key, arg, ok := strings.Cut(line, ":")
	if line == "" || strings.HasPrefix(line, "#") {
		return
	}
	if !ok {
		d.Failf("not a line of a dialog: %q", line)
	}
	arg = strings.TrimPrefix(arg, " ")
	if key != "C" && key != "R" {
		d.send()
	}
	switch key {
	case "service":
		d.Service = arg
	case "remote":
		d.Remote = arg
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
	default:
		if d.Line == nil || !d.Line(d, key, arg) {
			d.Failf("unknown line %q", line)
		}
	}
}

// octets reads "x" or "x" * 3.
func (d *Dialog) octets(arg string) string {
	quoted, times, repeated := strings.Cut(arg, " * ")
	s, err := strconv.Unquote(quoted)
	n := 1
	if err == nil && repeated {
		n, err = strconv.Atoi(times)
	}
	if err != nil {
		d.Failf("%v", err)
	}
	return strings.Repeat(s, n)
}

func (d *Dialog) connect() {
	if d.conn != nil {
		return
	}
	d.conn = Dial(d.t, Addr(net.JoinHostPort(d.Remote, "4000")), d.Start(d))
	d.conn.SetDeadline(time.Now().Add(30 * time.Second))
	d.r = bufio.NewReader(d.conn)
	if d.Service == d.TLSFirst {
		d.handshake()
	}
}

func (d *Dialog) handshake() {
	conn := tls.Client(d.conn, d.Client)
	if err := conn.Handshake(); err != nil {
		d.Failf("handshake: %v", err)
	}
	d.conn = conn
	d.r = bufio.NewReader(conn)
}

func (d *Dialog) send() {
	if d.out.Len() == 0 {
		return
	}
	if _, err := d.conn.Write([]byte(d.out.String())); err != nil {
		d.Failf("send: %v", err)
	}
	d.out.Reset()
}

func (d *Dialog) expect(want string) {
	d.t.Helper()
	line, err := d.r.ReadString('\n')
	got, crlf := strings.CutSuffix(line, "\r\n")
	if err != nil || !crlf {
		d.Failf("got %q, %v, want %q", line, err, want)
	}
	if before, after, any := strings.Cut(want, "*"); any {
		if strings.HasPrefix(got, before) && strings.HasSuffix(got, after) {
			return
		}
	}
	if got != want {
		d.Failf("\ngot  %q\nwant %q", got, want)
	}
}

func (d *Dialog) expectEOF() {
	d.t.Helper()
	line, err := d.r.ReadString('\n')
	if err == nil || line != "" {
		d.Failf("got %q, want the end of the connection", line)
	}
	if ne, ok := err.(net.Error); ok && ne.Timeout() {
		d.Failf("the connection is still open")
	}
	d.closed = true
}

func (d *Dialog) finish() {
	d.t.Helper()
	d.send()
	if d.conn == nil {
		d.Failf("nothing was said")
	}
	if !d.closed {
		d.out.WriteString("QUIT\r\n")
		d.send()
		d.expect(d.Goodbye)
		d.expectEOF()
	}
}
