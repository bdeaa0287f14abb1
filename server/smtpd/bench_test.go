package smtpd

import (
	"bufio"
	"context"
	"log/slog"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"facteur/server/auth"
	"facteur/server/buffer"
	"facteur/server/envelope"
	"facteur/server/testkit"
)

// nullBackend takes everything at once.
type nullBackend struct{}

func (nullBackend) Login(context.Context, envelope.Session, string, string) (auth.Credential, error) {
	return auth.Credential{}, nil
}
func (nullBackend) Valid(auth.Credential) bool                          { return true }
func (nullBackend) Begin(envelope.Session, auth.Credential) Transaction { return nullBackend{} }
func (nullBackend) Mail(context.Context, envelope.Sender) error         { return nil }
func (nullBackend) Rcpt(context.Context, envelope.Recipient) error      { return nil }
func (nullBackend) Data(context.Context, envelope.Body) (Receipt, error) {
	return Receipt{ID: "id"}, nil
}

func transactionText(size int) (head, text string) {
	line := strings.Repeat("x", 74) + "\r\n"
	return "MAIL FROM:<sender@d123.example>\r\nRCPT TO:<u1@bench.example>\r\nDATA\r\n", strings.Repeat(line, size/len(line)) + ".\r\n"
}

// BenchmarkTransaction is a message over loopback, envelope in one write, as
// senders with PIPELINING do. cpu-µs/op is that of client and server together.
func BenchmarkTransaction(b *testing.B) {
	for _, c := range []struct {
		name string
		size int
	}{{"2KiB", 2 << 10}, {"50KiB", 50 << 10}, {"1MiB", 1 << 20}} {
		b.Run(c.name, func(b *testing.B) {
			pool, err := buffer.NewPool(buffer.Options{Dir: b.TempDir()})
			if err != nil {
				b.Fatal(err)
			}
			s := New(nullBackend{}, pool, slog.New(slog.DiscardHandler), Options{Hostname: "mx.example"})
			defer s.Shutdown(context.Background())
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			defer ln.Close()
			go s.Serve(ln, SMTP)
			conn, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close()
			r := bufio.NewReader(conn)
			replies := func(n int) {
				for range n {
					if line, err := r.ReadSlice('\n'); err != nil || line[0] > '3' {
						b.Fatalf("%q, %v", line, err)
					}
				}
			}
			conn.Write([]byte("HELO c\r\n"))
			replies(2)
			h, t := transactionText(c.size)
			head, text := []byte(h), []byte(t)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			before := cpuTime()
			for b.Loop() {
				conn.Write(head)
				replies(3)
				conn.Write(text)
				replies(1)
			}
			b.ReportMetric(float64((cpuTime()-before).Microseconds())/float64(b.N), "cpu-µs/op")
		})
	}
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkProtocol is the same without a network: the work of this package.
func BenchmarkProtocol(b *testing.B) {
	for _, c := range []struct {
		name string
		size int
	}{{"2KiB", 2 << 10}, {"50KiB", 50 << 10}} {
		b.Run(c.name, func(b *testing.B) {
			pool, err := buffer.NewPool(buffer.Options{Dir: b.TempDir()})
			if err != nil {
				b.Fatal(err)
			}
			s := New(nullBackend{}, pool, slog.New(slog.DiscardHandler), Options{Hostname: "mx.example"})
			head, text := transactionText(c.size)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			b.ResetTimer()
			s.start(&repeated{Canned: testkit.Canned{Remote: loopback}, in: strings.NewReader("HELO c\r\n"), text: head + text, n: b.N}, SMTP)
			s.conns.Wait()
		})
	}
}

// repeated is a connection on which the client says the same n times.
type repeated struct {
	testkit.Canned
	in   *strings.Reader
	text string
	n    int
}

func (r *repeated) Read(p []byte) (int, error) {
	if r.in.Len() == 0 && r.n > 0 {
		r.in.Reset(r.text)
		r.n--
	}
	return r.in.Read(p)
}

func (r *repeated) Write(p []byte) (int, error) { return len(p), nil }
