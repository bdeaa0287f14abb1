package imapd

import (
	"bufio"
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// near is a pipe that seems to come from loopback.
type near struct{ net.Conn }

func (near) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4000} }

// pipe connects without the network.
func (w *world) pipe() *rawConn {
	w.t.Helper()
	client, server := net.Pipe()
	w.t.Cleanup(func() { client.Close() })
	w.server.start(near{server}, false)
	r := &rawConn{client, w.t, bufio.NewReader(client)}
	r.expect("* OK")
	return r
}

func TestIdleTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newBareWorld(t, nil)
		r := w.pipe()
		r.do("LOGIN alice@example.org demo", "OK")
		r.talk(`
			C: a IDLE
			S: + idling
		`)
		start := time.Now()
		for i := 1; i < 15; i++ {
			r.expect("* OK Still here")
			if since := time.Since(start); since != time.Duration(i)*2*time.Minute {
				t.Fatalf("sign of life %d after %v", i, since)
			}
		}
		r.expect("* BYE")
		r.closed()
		if since := time.Since(start); since != 30*time.Minute {
			t.Errorf("BYE after %v", since)
		}
	})
}

// What is new as IDLE begins comes in one piece with the continuation.
func TestIdleBegins(t *testing.T) {
	w := newBareWorld(t, nil)
	r := w.pipe()
	r.do("LOGIN alice@example.org demo", "OK")
	r.do("SELECT INBOX", "OK")
	w.fill(1)
	r.send("a IDLE\r\n")
	piece := make([]byte, 1000)
	n, err := r.Read(piece)
	if got := string(piece[:n]); err != nil || got != "+ idling\r\n* 1 EXISTS\r\n* 1 RECENT\r\n" {
		t.Errorf("%q, %v", got, err)
	}
}

// A client that says nothing is left after 30 minutes (RFC 9051 5.4), one that
// stops in the middle of a command sooner.
func TestAutologout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newBareWorld(t, nil)
		r := w.pipe()
		r.do("LOGIN alice@example.org demo", "OK")
		start := time.Now()
		time.Sleep(29 * time.Minute)
		r.do("NOOP", "OK")
		r.expect("* BYE")
		r.closed()
		if since := time.Since(start); since != 59*time.Minute {
			t.Errorf("BYE after %v", since)
		}
		r = w.pipe()
		start = time.Now()
		r.expect("* BYE")
		if since := time.Since(start); since != time.Minute {
			t.Errorf("BYE without a login after %v", since)
		}
		r = w.pipe()
		r.do("LOGIN alice@example.org demo", "OK")
		start = time.Now()
		r.send("a CREATE {100}\r\n")
		r.expect("+")
		r.send("x")
		r.expect("* BYE")
		if since := time.Since(start); since != commandTimeout {
			t.Errorf("BYE in a command after %v", since)
		}
	})
}

// A client that does not read is given up, however little it is sent.
func TestWriteTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newBareWorld(t, nil)
		r := w.pipe()
		r.do("LOGIN alice@example.org demo", "OK")
		start := time.Now()
		r.send("a NOOP\r\n")
		w.server.sessions.Wait()
		if since := time.Since(start); since < writeTimeout || since > 2*writeTimeout {
			t.Errorf("given up after %v", since)
		}
	})
}

func TestIdleEnds(t *testing.T) {
	w := newWorld(t, nil)
	r := w.login("")
	r.talk(`
		C: a IDLE
		S: + idling
		C: done
		S: a OK IDLE completed
		C: b IDLE
		S: + idling
		C: c NOOP
		S: b BAD ...
		C: d NOOP
		S: d OK ...
		C: e IDLE now
		S: e BAD ...
	`)
	r.send("f IDLE\r\nDONE\r\ng NOOP\r\n") // at once
	for _, want := range []string{"+ idling", "f OK", "g OK"} {
		r.expect(want)
	}
}

// What a client sends at once is answered at once, in one piece.
func TestPipelining(t *testing.T) {
	w := newWorld(t, nil)
	r := w.login("")
	for range 3 {
		all := ""
		for i := range 500 {
			all += fmt.Sprintf("a%d NOOP\r\n", i)
		}
		go r.send("%s", all)
		for i := range 500 {
			r.expect(fmt.Sprintf("a%d OK", i))
		}
	}
}
