package relay

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"facteur/server/envelope"
	"facteur/server/fault"
)

// recording is a connection to a server that says what was recorded, whatever it
// hears, a line at a time.
type recording struct {
	words []byte
	heard bytes.Buffer
}

func (r *recording) Read(p []byte) (int, error) {
	if len(r.words) == 0 {
		return 0, io.EOF
	}
	line := bytes.IndexByte(r.words, '\n') + 1
	if line == 0 {
		line = len(r.words)
	}
	n := copy(p, r.words[:line])
	r.words = r.words[n:]
	return n, nil
}

func (r *recording) Write(p []byte) (int, error)      { return r.heard.Write(p) }
func (r *recording) Close() error                     { return nil }
func (r *recording) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (r *recording) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (r *recording) SetDeadline(time.Time) error      { return nil }
func (r *recording) SetReadDeadline(time.Time) error  { return nil }
func (r *recording) SetWriteDeadline(time.Time) error { return nil }

// FuzzServer lets a server say anything: each recipient has a fate, and only a server
// that asked for the content and got all of it has taken the message.
func FuzzServer(f *testing.F) {
	for _, s := range []string{
		"220 x\n250-x\n250-PIPELINING\n250 SIZE\n250 a\n250 b\n450 c\n354 d\n250 e\n",
		"220 x\n250 x\n250 a\n250 b\n550 5.1.1 c\n354 d\n250 e\n",
		"220 x\n500 x\n250 x\n250 a\n421 b\n",
		"220 x\n250-x\n250-PIPELINING\n250 DSN\n250 a\n550 b\n550 c\n354 d\n554 e\n221 f\n",
		"220 x\n250-x\n250 STARTTLS\n220 go\n\x16\x03\x03\x00\x01",
		"220-x\n221 y\n", "421 x\n", "220 mail.test\n",
	} {
		f.Add([]byte(strings.ReplaceAll(s, "\n", "\r\n")))
	}
	f.Fuzz(func(t *testing.T, words []byte) {
		var conns []*recording
		r := New(Options{Resolver: fixed{}, Dial: func(context.Context, string, string) (net.Conn, error) {
			c := &recording{words: words}
			conns = append(conns, c)
			return c, nil
		}}, Settings{Hostname: "mail.test"})
		m := mail("one.example", "a", "b")
		m.Body = envelope.Bytes("Subject: \xe9\r\n\r\n.\xe9\r\n")
		results := r.Attempt(t.Context(), m)
		r.Close()
		if len(results) != 2 || len(conns) > 3 {
			t.Fatalf("%d results, %d connections", len(results), len(conns))
		}
		for _, res := range results {
			if res.Fault != nil {
				if res.Fault.Code < 400 || res.Fault.Code > 599 || fault.Is(res.Fault, fault.Internal) {
					t.Errorf("%v", res.Fault)
				}
				continue
			}
			got := conns[len(conns)-1].heard.String()
			if !strings.Contains(got, "\r\n.\r\n") || !bytes.Contains(words, []byte("354")) || !strings.HasPrefix(res.Reply, "2") {
				t.Errorf("taken, it says, and heard %q", got)
			}
		}
	})
}
