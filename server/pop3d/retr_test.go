package pop3d

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"facteur/server/envelope"
	"facteur/server/wire"
)

// send returns what a transfer makes of a message, by way of a buffer of a size.
func send(t testing.TB, message string, lines int64, size int) string {
	t.Helper()
	var out bytes.Buffer
	w := wire.NewWriter(16)
	w.Reset(&out, nil)
	if err := newTransfer(w, lines).copy(envelope.Bytes(message), make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	w.Flush()
	return out.String()
}

// model is what RFC 1939 3 and 7 want, made line by line.
func model(message string, lines int64) string {
	var b strings.Builder
	body := false
	for line := range strings.Lines(message) {
		if body && lines == 0 {
			break
		}
		if body {
			lines--
		}
		body = body || strings.TrimRight(line, "\r\n") == ""
		if strings.HasPrefix(line, ".") {
			b.WriteByte('.')
		}
		b.WriteString(line)
	}
	if s := b.String(); s != "" && !strings.HasSuffix(s, "\r\n") {
		b.WriteString("\r\n")
	}
	return b.String() + ".\r\n"
}

func TestTransfer(t *testing.T) {
	messages := []string{"", ".", "\r\n", ".\r\n", "a", "a: b\r\n\r\n.\r\n.\r\n\r\n..x\r\n", "\r\n\r\n\r\n.", "a\r\n.b\r\n\r\n\r\nc\r\n.", "x\r\n\r\n" + strings.Repeat(".\r\n", 20)}
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var b strings.Builder
		for range r.IntN(30) {
			b.WriteString([]string{".", "\r\n", "\r\n", "x", ".\r\n", "\r", "\n"}[r.IntN(7)])
		}
		messages = append(messages, b.String())
	}
	for _, m := range messages {
		for _, lines := range []int64{everything, 0, 1, 2, 1000} {
			for _, size := range []int{1, 2, 3, 7, 64} {
				if got, want := send(t, m, lines, size), model(m, lines); got != want {
					t.Fatalf("%q, %d lines, %d octets at a time:\n got %q\nwant %q", m, lines, size, got, want)
				}
			}
		}
	}
}

// TestLargeMessage retrieves one that is held nowhere as a whole.
func TestLargeMessage(t *testing.T) {
	b := newBackend()
	large := "Subject: large\r\n\r\n" + strings.Repeat(".line of a large message, with a dot in front\r\nand one without\r\n", 200_000)
	b.inboxes["large@example.org"] = &inbox{messages: map[uint32]string{1: large}}
	s := newServer(t, b, Options{})
	c := s.client(t, POP3, loopback)
	c.login("large")
	c.Do("RETR 1", fmt.Sprintf("+OK %d octets", len(large)))
	if got := c.lines(); got != large {
		t.Errorf("got %d octets, want %d", len(got), len(large))
	}
	c.Do("TOP 1 0", "+OK")
	if got := c.lines(); got != "Subject: large\r\n\r\n" {
		t.Errorf("%.100q", got)
	}
	// A client that goes away ends the reading.
	c.Send("RETR 1\r\n")
	c.Expect("+OK")
	c.Conn.Close()
	s.conns.Wait()
}

// failing is a message that can't be read from an offset on.
type failing struct{ after int64 }

func (f failing) ReadAt(p []byte, off int64) (int, error) {
	if off >= f.after {
		return 0, errors.New("input/output error")
	}
	return copy(p, strings.Repeat("x", int(min(f.after-off, int64(len(p)))))), nil
}

func TestTransferFails(t *testing.T) {
	w := wire.NewWriter(16)
	w.Reset(io.Discard, nil)
	if err := newTransfer(w, everything).copy(failing{10}, make([]byte, 4)); err == nil {
		t.Error("no error of the disk")
	}
	w.Reset(shut{}, nil)
	long := envelope.Bytes(strings.Repeat("\r\n.", 1000))
	if err := newTransfer(w, everything).copy(long, make([]byte, 64)); err != io.ErrClosedPipe {
		t.Errorf("%v, want that of the connection", err)
	}
}

type shut struct{}

func (shut) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func BenchmarkTransfer(b *testing.B) {
	line := strings.Repeat("x", 74) + "\r\n"
	message := envelope.Bytes("Subject: x\r\n\r\n" + strings.Repeat(line, 1<<20/len(line)))
	w := wire.NewWriter(writeBuffer)
	buf := make([]byte, chunkSize)
	for name, lines := range map[string]int64{"RETR": everything, "TOP": 1 << 30} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(message.Size())
			b.ReportAllocs()
			for b.Loop() {
				w.Reset(io.Discard, nil)
				if err := newTransfer(w, lines).copy(message, buf); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func FuzzTransfer(f *testing.F) {
	f.Add("a: b\r\n\r\n.\r\n", uint16(1), uint8(3))
	f.Add(".", uint16(0), uint8(1))
	f.Fuzz(func(t *testing.T, message string, lines uint16, size uint8) {
		// Content has no bare LF.
		message = strings.ReplaceAll(strings.ReplaceAll(message, "\r\n", "\n"), "\n", "\r\n")
		n := int64(lines)
		if lines == 1<<16-1 {
			n = everything
		}
		if got, want := send(t, message, n, int(size)+1), model(message, n); got != want {
			t.Errorf("%q, %d lines:\n got %q\nwant %q", message, n, got, want)
		}
	})
}
