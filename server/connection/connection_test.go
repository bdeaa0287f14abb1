package connection

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"facteur/server/fault"
	"facteur/server/testkit"
)

func TestLimits(t *testing.T) {
	limits := Limits{PerClient: 2, Connections: 5, Trusted: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}}
	y := newToy(t, Settings{Limits: limits}, nil)
	var last *testkit.Client
	for _, c := range []struct{ remote, want string }{
		{"192.0.2.1:1", "+"},
		{"192.0.2.1:2", "+"},
		{"192.0.2.1:3", "- 4.7.0 Too many connections from your address"},
		{"[2001:db8::1]:1", "+"},
		{"[2001:db8::2]:1", "+"},
		{"[2001:db8::ffff]:1", "- 4.7.0"}, // the same /64
		{"[::ffff:192.0.2.1]:1", "- 4.7.0"},
		{"198.51.100.1:1", "+"},
		{"203.0.113.1:1", "- 4.3.2 Too busy"},
		{"198.51.100.1:2", "+"},
		{"198.51.100.1:3", "+"},
		{"127.0.0.1:1", "+"},
	} {
		last = y.client(t, "toy", testkit.Addr(c.remote))
		last.Expect(c.want)
	}
	y.client(t, "toys", testkit.Addr("192.0.2.1:3")).ExpectEOF() // without a word
	y.apply(Settings{Limits: Limits{PerClient: 1, LimitTrusted: true}})
	y.client(t, "toy", testkit.Addr("127.0.0.1:2")).Expect("- 4.7.0")
	last.Do("ECHO x", "+ x") // goes on
}

func TestClientIsForgotten(t *testing.T) {
	y := newToy(t, Settings{Limits: Limits{PerClient: 1}}, nil)
	for range 3 {
		c := y.client(t, "toy", outside)
		c.Expect("+")
		c.Send("QUIT\r\n")
		c.ExpectEOF()
		y.Wait()
	}
	if n := y.released.Load(); n != 3 {
		t.Errorf("%d of 3 released", n)
	}
}

// TestRate is where limits of connections by time come in.
func TestRate(t *testing.T) {
	seen := make(chan netip.Addr, 9)
	y := newToy(t, Settings{Limits: Limits{Rate: func(remote netip.Addr) *fault.Fault {
		seen <- remote
		if len(seen) > 1 {
			return fault.Reply(fault.TryLater, 421, "4.7.0", "Come back in a minute")
		}
		return nil
	}}}, nil)
	y.client(t, "toy", loopback).Expect("+") // no limits hold
	y.client(t, "toy", outside).Expect("+")
	y.client(t, "toy", outside).Expect("- 4.7.0 Come back in a minute")
	if a := <-seen; len(seen) != 1 || a != netip.MustParseAddr("192.0.2.1") {
		t.Errorf("asked %d times, for %v", len(seen)+1, a)
	}
}

func TestPenalty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newToy(t, Settings{}, nil)
		c := y.pipe(t, "toy", outside)
		c.Expect("+")
		start := time.Now()
		for range 19 {
			c.Do("FOO", "- 5.5.1 Unknown command")
		}
		c.Do("FOO", "- 4.7.0 Too many errors, closing connection")
		c.ExpectEOF()
		if d := time.Since(start); d < 20*time.Second || d > 30*time.Second {
			t.Errorf("it took %v", d)
		}
		trusted := y.pipe(t, "toy", loopback)
		trusted.Expect("+")
		for range 100 {
			trusted.Do("FOO", "- 5.5.1")
		}
	})
}

// TestHopeless: who was ended for mistakes is slow from the first one on the next
// time.
func TestHopeless(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		offended := make(map[netip.Addr]int)
		y := newToy(t, Settings{Limits: Limits{
			Hopeless: func(remote netip.Addr) bool { return offended[remote] > 0 },
			Offended: func(remote netip.Addr) { offended[remote]++ },
		}}, nil)
		mistake := func(remote net.Addr) time.Duration {
			c := y.pipe(t, "toy", remote)
			c.Expect("+")
			start := time.Now()
			c.Do("FOO", "-")
			took := time.Since(start)
			c.Send("QUIT\r\n")
			c.ExpectEOF()
			return took
		}
		if took := mistake(outside); took != 0 {
			t.Errorf("the first mistake of all took %v", took)
		}
		c := y.pipe(t, "toy", outside)
		c.Expect("+")
		for range 19 {
			c.Do("FOO", "- 5.5.1")
		}
		c.Do("FOO", "- 4.7.0 Too many errors")
		c.ExpectEOF()
		synctest.Wait()
		if n := offended[netip.MustParseAddr("192.0.2.1")]; n != 1 || len(offended) != 1 {
			t.Errorf("told of %v", offended)
		}
		if took := mistake(outside); took != BadCommand*delayByPoint {
			t.Errorf("the next one took %v", took)
		}
		if took := mistake(loopback); took != 0 {
			t.Errorf("one without limits took %v", took)
		}
	})
}

// TestPauseEnds: who is slowed down does not hold up a shutdown.
func TestPauseEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newToy(t, Settings{}, nil)
		c := y.pipe(t, "toy", outside)
		c.Expect("+")
		for range 18 {
			c.Do("FOO", "-")
		}
		c.Send("FOO\r\n") // slowed by seconds
		synctest.Wait()
		start := time.Now()
		done := make(chan error, 1)
		go func() { done <- y.Shutdown(context.Background()) }()
		c.Expect("- 5.5.1")
		c.Expect("- 4.3.2")
		if err := <-done; err != nil || time.Since(start) > time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

func TestLines(t *testing.T) {
	for _, c := range []struct{ name, send, want string }{
		{"longest", "ECHO " + strings.Repeat("x", maxLine-7) + "\r\n", "+ xxx"},
		{"too long", "ECHO " + strings.Repeat("x", maxLine-6) + "\r\n", "- 5.5.2 The line is too long"},
		{"longest of AUTH", "AUTH PLAIN " + strings.Repeat("A", 12000) + "\r\n", "- 5.5.2 That is not what the mechanism asks for"},
		{"much too long", strings.Repeat("x", 20000) + "\r\n", "- 5.5.2 The line is too long"},
		{"bare LF", "ECHO x\n", "- 5.5.2 A line ends in CRLF"},
		{"bare CR", "ECHO\rx\r\n", "- 5.5.2 A line ends in CRLF"},
		{"NUL", "ECHO \x00\r\n", "- 5.5.2 NUL octets are not allowed"},
		{"lower case", "echo x\r\n", "+ x"},
		{"longer than any verb", "ECHOECHOECHO x\r\n", "- 5.5.1 Unknown command"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cl := newToy(t, Settings{}, nil).client(t, "toy", outside)
			cl.Expect("+")
			cl.Send(c.send)
			cl.Expect(c.want)
			cl.Do("ECHO on", "+ on")
		})
	}
	for _, c := range []struct{ name, send, want string }{
		{"endless", strings.Repeat("x", 2<<20), "- 4.5.2 No end in sight, closing connection"},
		{"TLS", "\x16\x03\x01\x00", "- 4.5.0 TLS begins with TLS on this port, closing connection"},
		{"HTTP", "GET / HTTP/1.1\r\nECHO x\r\n", "- 4.5.0 This is a mail server, not a web server, closing connection"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cl := newToy(t, Settings{}, nil).client(t, "toy", outside)
			cl.Expect("+")
			cl.Send(c.send)
			cl.Expect(c.want)
			cl.ExpectEOF()
		})
	}
}

func TestSlow(t *testing.T) {
	half := func(c *testkit.Client) {
		for range 50 {
			c.Send("E")
			time.Sleep(time.Second)
		}
	}
	for _, c := range []struct {
		name   string
		silent bool
		do     func(*testkit.Client)
	}{{"nothing is said", false, func(*testkit.Client) {}}, {"half a command", false, half}, {"left without a word", true, half}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				y := newToy(t, Settings{}, func(config *Config) { config.LeaveSlow = c.silent })
				start := time.Now()
				cl := y.pipe(t, "toy", outside)
				cl.Expect("+")
				c.do(cl)
				if !c.silent {
					cl.Expect("- 4.4.2 Too slow, closing connection")
				}
				cl.ExpectEOF()
				if d := time.Since(start); d != 5*time.Minute {
					t.Errorf("after %v", d)
				}
			})
		})
	}
	t.Run("takes no replies", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			y := newToy(t, Settings{}, nil)
			start := time.Now()
			y.pipe(t, "toy", outside)
			y.Wait()
			if d := time.Since(start); d < time.Minute || d > 3*time.Minute {
				t.Errorf("after %v", d)
			}
		})
	})
	t.Run("no handshake", func(t *testing.T) {
		server, _ := testkit.TLS(t, "mx.example")
		synctest.Test(t, func(t *testing.T) {
			y := newToy(t, Settings{TLS: server}, nil)
			start := time.Now()
			y.pipe(t, "toys", outside).ExpectEOF()
			if d := time.Since(start); d != time.Minute {
				t.Errorf("after %v", d)
			}
		})
	})
}

func TestShutdown(t *testing.T) {
	const closing = "- 4.3.2 The server is shutting down, closing connection"
	server, _ := testkit.TLS(t, "mx.example")
	y := newToy(t, Settings{TLS: server}, nil)
	idle := y.client(t, "toy", outside)
	idle.Expect("+")
	half := y.client(t, "toy", outside)
	half.Expect("+")
	half.Send("ECH")
	handshake := y.client(t, "toys", outside)
	handshake.Send("\x16")
	busy := y.client(t, "toy", outside)
	busy.Expect("+")
	busy.Send("WAIT\r\nECHO x\r\n")
	<-y.waiting

	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- y.Shutdown(ctx) }()
	idle.Expect(closing)
	idle.ExpectEOF()
	half.Expect(closing)
	half.ExpectEOF()
	handshake.ExpectEOF()
	late := y.client(t, "toy", loopback)
	late.Expect(closing)
	late.ExpectEOF()
	select {
	case err := <-done:
		t.Fatalf("shut down while a command is carried out: %v", err)
	default:
	}
	cancel()
	if err := <-done; err != context.Canceled {
		t.Error(err)
	}
	// Cut off, perhaps with the last words: what it sent next is not carried out.
	if rest, _ := io.ReadAll(busy.R); strings.TrimSuffix(string(rest), closing+"\r\n") != "" {
		t.Errorf("%q", rest)
	}
}

func TestRevoked(t *testing.T) {
	const gone = "- 4.7.0 The login is not valid any more, closing connection"
	for _, c := range []struct {
		name string
		end  func(*toy, *testkit.Client)
	}{
		{"while it waits", func(y *toy, _ *testkit.Client) { y.Recheck() }},
		{"at a command", func(_ *toy, c *testkit.Client) { c.Send("ECHO x\r\n") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			y := newToy(t, Settings{}, nil)
			in, out := y.client(t, "toy", loopback), y.client(t, "toy", loopback)
			out.Expect("+")
			in.Expect("+")
			in.Do("AUTH PLAIN AGFsaWNlAHNlY3JldA==", "+ logged in")
			y.Recheck()
			in.Do("ECHO x", "+ x")
			y.revoke()
			c.end(y, in)
			in.Expect(gone)
			in.ExpectEOF()
			out.Do("ECHO x", "+ x")
		})
	}
}

func TestTLS(t *testing.T) {
	server, client := testkit.TLS(t, "mx.example")
	y := newToy(t, Settings{TLS: server}, nil)
	c := y.client(t, "toy", loopback)
	c.Expect("+")
	c.Do("AUTH PLAIN AGFsaWNlAHNlY3JldA==", "+ logged in")
	c.Do("TLS", "+ begin")
	c = testkit.NewClient(t, tls.Client(c.Conn, client))
	c.Do("ECHO x", "+ x")
	c.Do("TLS", "- 5.5.1 TLS is active already")

	for version, want := range map[uint16]string{tls.VersionTLS12: "TLS1.2", tls.VersionTLS13: "TLS1.3", 0: "TLS"} {
		if got := TLSVersion(version); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	c = y.client(t, "toy", outside)
	c.Expect("+")
	c.Send("TLS\r\nECHO x\r\n")
	c.Expect("- 4.7.0 There must be nothing after TLS before the handshake, closing connection")
	c.ExpectEOF()

	c = y.client(t, "toys", outside)
	c.Do("ECHO x", "- 4.5.0 This port expects TLS from the first octet on, closing connection")
	c.ExpectEOF()
	c = testkit.NewClient(t, tls.Client(testkit.Dial(t, outside, y.starts("toys")), client))
	c.Expect("+")

	y.apply(Settings{})
	newOne := y.client(t, "toy", outside)
	newOne.Expect("+")
	newOne.Do("TLS", "- 5.5.1 TLS is not offered")
	y.client(t, "toys", outside).ExpectEOF()
}

func TestLoginAllowed(t *testing.T) {
	for _, c := range []struct {
		remote    net.Addr
		plaintext string
		want      bool
	}{{loopback, "", true}, {loopback, "never", false}, {outside, "", false}} {
		y := newToy(t, Settings{PlaintextLogin: c.plaintext}, nil)
		p := &toySession{toy: y}
		conn := y.New(&testkit.Canned{Remote: c.remote}, "toy", p)
		if got := conn.LoginAllowed(); got != c.want {
			t.Errorf("%v, %q: %v", c.remote, c.plaintext, got)
		}
		if conn.Info.TLSVersion = "TLS1.3"; !conn.LoginAllowed() {
			t.Error("not with TLS")
		}
	}
}

func TestExchange(t *testing.T) {
	c := newToy(t, Settings{}, nil).client(t, "toy", loopback)
	c.Expect("+")
	c.Do("AUTH PLAIN", "? ")
	c.Do("*", "- 5.7.0 Login cancelled")
	c.Do("AUTH PLAIN ???", "- 5.5.2 That is not base64")
	c.Do("AUTH PLAIN", "? ")
	c.Do("x\ry", "- 5.5.2 A line ends in CRLF")
	c.Do("AUTH PLAIN", "? ")
	c.Do(strings.Repeat("A", maxAuthLine), "- 5.5.6 The line is too long")
	c.Do("AUTH LOGIN YWxpY2U=", "? UGFzc3dvcmQ6")
	c.Do("c2VjcmV0", "+ logged in")
}

// TestPanic: one session is not all.
func TestPanic(t *testing.T) {
	var log bytes.Buffer
	y := newToy(t, Settings{}, func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	c, other := y.client(t, "toy", outside), y.client(t, "toy", outside)
	c.Expect("+")
	c.Send("PANIC\r\n")
	c.ExpectEOF()
	other.Expect("+")
	other.Send("QUIT\r\n")
	other.ExpectEOF()
	y.Wait()
	if y.released.Load() != 2 || !strings.Contains(log.String(), "toy.panic") {
		t.Errorf("%d released, log %s", y.released.Load(), log.String())
	}
}

func TestAccept(t *testing.T) {
	y := newToy(t, Settings{}, nil)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- Accept(ln, y.starts("toy")) }()
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := testkit.NewClient(t, conn)
	c.Expect("+")
	ln.Close()
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	c.Do("ECHO x", "+ x") // the session goes on
}
