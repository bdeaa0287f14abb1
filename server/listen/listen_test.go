package listen

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// newSet returns a Set whose services greet with their name and close.
func newSet(t *testing.T) *Set {
	t.Helper()
	s := New(Options{Log: slog.New(slog.DiscardHandler), Serve: func(ln net.Listener, service string) {
		for {
			conn, err := ln.Accept()
			if err != nil {
				if !errors.Is(err, net.ErrClosed) {
					t.Errorf("Accept: %v", err)
				}
				return
			}
			fmt.Fprintln(conn, service)
			conn.Close()
		}
	}})
	t.Cleanup(s.Close)
	return s
}

func apply(t *testing.T, s *Set, wanted ...Wanted) []Bound {
	t.Helper()
	p, err := s.Plan(wanted)
	if err != nil {
		t.Fatal(err)
	}
	planned := p.Bound()
	p.Commit()
	got := s.Bound()
	if fmt.Sprint(planned) != fmt.Sprint(got) || len(got) != len(wanted) {
		t.Errorf("planned %v, bound %v", planned, got)
	}
	return got
}

// ask returns the service that answers at an address.
func ask(addr net.Addr) string {
	conn, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(line)
}

func expect(t *testing.T, addr net.Addr, want string) {
	t.Helper()
	if got := ask(addr); got != want {
		t.Errorf("%v: %q, want %q", addr, got, want)
	}
}

func expectClosed(t *testing.T, addr net.Addr) {
	t.Helper()
	conn, err := net.Dial(addr.Network(), addr.String())
	if err == nil {
		conn.Close()
		t.Errorf("%v is still open", addr)
	}
}

func TestReload(t *testing.T) {
	s := newSet(t)
	first := apply(t, s, Wanted{"smtp", "127.0.0.1:0"}, Wanted{"imap", "127.0.0.1:0"})
	expect(t, first[0].Addr, "smtp")
	expect(t, first[1].Addr, "imap")
	second := apply(t, s, Wanted{"pop3", "127.0.0.1:0"}, Wanted{"smtp", "127.0.0.1:0"})
	if second[1].Addr.String() != first[0].Addr.String() {
		t.Error("the socket that stayed has a new port")
	}
	expect(t, first[0].Addr, "smtp")
	expect(t, second[0].Addr, "pop3")
	s.Close()
	for _, b := range append(first, second...) {
		expectClosed(t, b.Addr)
	}
	if len(s.Bound()) != 0 {
		t.Errorf("bound after Close: %v", s.Bound())
	}
}

func TestFailedPlanChangesNothing(t *testing.T) {
	s := newSet(t)
	first := apply(t, s, Wanted{"smtp", "127.0.0.1:0"})
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	free := freeAddress(t)
	_, err = s.Plan([]Wanted{{"imap", free}, {"pop3", taken.Addr().String()}, {"lmtp", "unix:/nonexistent/x.sock"}, {"http", "127.0.0.1:x"}})
	if err == nil {
		t.Fatal("planned a taken port")
	}
	for _, want := range []string{"pop3: cannot listen on " + taken.Addr().String() + ": another program listens there already", "lmtp: cannot", "http: cannot"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %q", want, err)
		}
	}
	expect(t, first[0].Addr, "smtp")
	ln, err := net.Listen("tcp", free)
	if err != nil {
		t.Fatalf("what the failed plan bound is still open: %v", err)
	}
	ln.Close()
}

// freeAddress returns an address of which the port was free just now.
func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

func TestAbort(t *testing.T) {
	s := newSet(t)
	first := apply(t, s, Wanted{"smtp", "127.0.0.1:0"})
	p, err := s.Plan([]Wanted{{"imap", freeAddress(t)}})
	if err != nil {
		t.Fatal(err)
	}
	added := p.Bound()[0].Addr
	p.Abort()
	expect(t, first[0].Addr, "smtp")
	expectClosed(t, added)
}

func TestPortGoesToAnotherService(t *testing.T) {
	s := newSet(t)
	address := freeAddress(t)
	first := apply(t, s, Wanted{"smtp", address})
	expect(t, first[0].Addr, "smtp")
	second := apply(t, s, Wanted{"submission", address})
	expect(t, second[0].Addr, "submission")
}

func TestOverlap(t *testing.T) {
	s := newSet(t)
	address := freeAddress(t)
	_, port, _ := net.SplitHostPort(address)
	both := "0.0.0.0:" + port
	narrow := apply(t, s, Wanted{"smtp", address})[0].Addr
	if _, err := s.Plan([]Wanted{{"smtp", address}, {"imap", both}}); err == nil {
		t.Error("two services at one port")
	}
	p, err := s.Plan([]Wanted{{"smtp", both}})
	if err != nil {
		t.Fatal(err)
	}
	p.Abort()
	expect(t, narrow, "smtp")
	apply(t, s, Wanted{"imap", both})
	expect(t, narrow, "imap")
	apply(t, s, Wanted{"pop3", address})
	expect(t, narrow, "pop3")
	if ln, err := net.Listen("tcp", both); err == nil {
		ln.Close()
		t.Error("the port can be shared by other programs")
	}
}

func TestUnix(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "lmtp.sock")
	s := newSet(t)
	addr := apply(t, s, Wanted{"lmtp", "unix:" + path})[0].Addr
	expect(t, addr, "lmtp")
	if addr.String() != path {
		t.Errorf("address %v", addr)
	}
	if info, err := os.Lstat(path); err != nil || info.Mode() != fs.ModeSocket|0o660 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	other := newSet(t)
	if _, err := other.Plan([]Wanted{{"lmtp", "unix:" + path}}); err == nil || !strings.Contains(err.Error(), "another program") {
		t.Errorf("a socket where somebody listens: %v", err)
	}
	expect(t, addr, "lmtp")
	s.Close()
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left after Close: %v", left)
	}
}

func TestUnixStale(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lmtp.sock")
	for _, p := range []string{path, path + ".new"} {
		ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: p, Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		ln.SetUnlinkOnClose(false)
		ln.Close()
	}
	s := newSet(t)
	expect(t, apply(t, s, Wanted{"lmtp", "unix:" + path})[0].Addr, "lmtp")

	// The file of another that took the place stays.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if b, err := os.ReadFile(path); string(b) != "mine" {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := s.Plan([]Wanted{{"lmtp", "unix:" + path}}); err == nil || !strings.Contains(err.Error(), "not a socket") {
		t.Errorf("over a file: %v", err)
	}
	if _, err := s.Plan([]Wanted{{"lmtp", "unix:/" + strings.Repeat("x", 120)}}); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("long path: %v", err)
	}
}

// failing is a listener that is out of file descriptors n times.
type failing struct {
	net.Listener
	n      int
	closed chan struct{}
	times  []time.Duration
	start  time.Time
}

func (f *failing) Accept() (net.Conn, error) {
	f.times = append(f.times, time.Since(f.start))
	if f.n--; f.n >= 0 {
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	if f.n == -1 {
		a, b := net.Pipe()
		b.Close()
		return a, nil
	}
	<-f.closed
	return nil, net.ErrClosed
}

func (f *failing) Addr() net.Addr { return &net.UnixAddr{Name: "test"} }

func (f *failing) Close() error {
	close(f.closed)
	return nil
}

func TestAcceptBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSet(t)
		f := &failing{n: 10, closed: make(chan struct{}), start: time.Now()}
		k := s.newSocket(Wanted{"smtp", "test"}, f)
		(&Plan{set: s, next: []*socket{k}, added: []*socket{k}}).Commit()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		want := []time.Duration{0, 5, 15, 35, 75, 155, 315, 635, 1275, 2275, 3275, 3275}
		for i := range want {
			want[i] *= time.Millisecond
		}
		if fmt.Sprint(f.times) != fmt.Sprint(want) {
			t.Errorf("tried at %v, want %v", f.times, want)
		}
		s.Close()
	})
}
