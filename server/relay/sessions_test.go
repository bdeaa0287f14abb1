package relay

import (
	"bufio"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"facteur/server/fault"
	"facteur/server/testkit"
)

// send makes an attempt at one.example and checks its outcome.
func (w *world) send(t *testing.T, want string, locals ...string) {
	t.Helper()
	if got := brief(w.relay.Attempt(t.Context(), mail("one.example", locals...))); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// verbs are the commands that a peer heard.
func verbs(p *testkit.Peer) string {
	var all []string
	for _, line := range p.Lines() {
		verb, _, _ := strings.Cut(line, " ")
		all = append(all, verb)
	}
	return strings.Join(all, " ")
}

// TestReuse: the next message takes the session of the one before, without a word in
// between.
func TestReuse(t *testing.T) {
	for _, extensions := range [][]string{{"PIPELINING"}, {}} {
		p := testkit.NewPeer(t, testkit.PeerOptions{Extensions: extensions})
		w := newWorld(t, map[string]*testkit.Peer{"192.0.2.1": p})
		w.send(t, "ok", "a")
		w.send(t, "ok, ok", "b", "c")
		w.relay.Apply(Settings{Hostname: "mail.test"})
		w.send(t, "ok", "d")
		w.relay.Close()
		if got := verbs(p); got != "EHLO MAIL RCPT DATA MAIL RCPT RCPT DATA MAIL RCPT DATA QUIT" || len(p.Messages()) != 3 {
			t.Error(got)
		}
	}
}

// TestNotReused: what a session was made under must still hold.
func TestNotReused(t *testing.T) {
	p := testkit.NewPeer(t, testkit.PeerOptions{})
	w := newWorld(t, map[string]*testkit.Peer{"192.0.2.1": p})
	w.send(t, "ok", "a")
	w.relay.Apply(Settings{Hostname: "new.test"})
	w.send(t, "ok", "a")
	if p.Sessions() != 2 || p.Messages()[1].Helo != "EHLO new.test" {
		t.Errorf("%d sessions, %+v", p.Sessions(), p.Messages())
	}
	for range maxUses {
		w.send(t, "ok", "a")
	}
	if p.Sessions() != 3 {
		t.Errorf("%d sessions", p.Sessions())
	}
}

// TestIdle: a session that nobody wants is ended politely.
func TestIdle(t *testing.T) {
	quit := make(chan struct{}, 1)
	p := testkit.NewPeer(t, testkit.PeerOptions{Answer: func(s testkit.Stage, _ string) string {
		if s == testkit.Quit {
			quit <- struct{}{}
		}
		return ""
	}})
	w := newWorld(t, map[string]*testkit.Peer{"192.0.2.1": p})
	w.relay.pool.timeouts.Idle = time.Millisecond
	w.send(t, "ok", "a")
	<-quit
	w.relay.Close()
	if w.relay.pool.count != 0 || len(w.relay.pool.idle) != 0 {
		t.Error(w.relay.pool.idle)
	}
}

// TestReset: after a transaction that came to nothing there is a RSET, and no more.
func TestReset(t *testing.T) {
	p := testkit.NewPeer(t, testkit.PeerOptions{Answer: refuse(testkit.Rcpt, "550 5.1.1 No")})
	w := newWorld(t, map[string]*testkit.Peer{"192.0.2.1": p})
	w.send(t, "550 5.1.1 mx1.example", "bad")
	w.send(t, "550 5.1.1 mx1.example, ok", "bad", "good")
	w.send(t, "ok", "good")
	if got := verbs(p); got != "EHLO MAIL RCPT DATA RSET MAIL RCPT RCPT DATA MAIL RCPT DATA" || p.Sessions() != 1 {
		t.Error(got)
	}
}

// TestKeptSessionFails: the end of a session that had been kept is no failure of the
// message, which gets a new one.
func TestKeptSessionFails(t *testing.T) {
	for _, c := range []struct {
		at     testkit.Stage
		answer string
		want   string
		all    int // sessions
	}{
		{testkit.Mail, testkit.Drop, "ok", 2},
		{testkit.Mail, testkit.Reset, "ok", 2},
		{testkit.Mail, testkit.Hang, "ok", 2},
		{testkit.Mail, "421 4.7.0 Too many messages", "ok", 2},
		{testkit.Mail, "450 4.7.0 Too many messages", "ok", 2},
		{testkit.Mail, "nonsense", "ok", 2},
		{testkit.Mail, "550 5.7.1 No", "550 5.7.1 mx1.example", 1},
		{testkit.Rset, testkit.Drop, "ok", 2},
		{testkit.Rset, "421 4.3.2 Bye", "ok", 2},
		{testkit.Rset, "500 5.5.1 What?", "ok", 2},
		{testkit.Rcpt, testkit.Drop, "451 4.4.2", 1},
		{testkit.Data, testkit.Drop, "451 4.4.2", 1},
		{testkit.Dot, testkit.Drop, "451 4.4.2", 1},
	} {
		t.Run(fmt.Sprintf("%s %.20s", c.at, strings.Trim(c.answer, "\x00")), func(t *testing.T) {
			t.Parallel()
			var second atomic.Bool
			p := testkit.NewPeer(t, testkit.PeerOptions{Answer: func(s testkit.Stage, line string) string {
				if s == testkit.Rcpt && strings.Contains(line, "first") && c.at == testkit.Rset {
					return "550 5.1.1 No" // so that there is something to reset
				}
				if s == c.at && second.CompareAndSwap(true, false) {
					return c.answer
				}
				return ""
			}})
			w := newWorld(t, map[string]*testkit.Peer{"192.0.2.1": p})
			w.relay.Attempt(t.Context(), mail("one.example", "first"))
			before := len(p.Messages())
			second.Store(true)
			w.send(t, c.want, "a")
			if p.Sessions() != c.all || len(p.Messages())-before != strings.Count(c.want, "ok") {
				t.Errorf("%d sessions, %d messages", p.Sessions(), len(p.Messages())-before)
			}
		})
	}
}

// script is a server that says exactly what a test wants it to say.
func script(t *testing.T, serve func(n int, c net.Conn, r *bufio.Reader)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for n := 1; ; n++ {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer c.Close()
				serve(n, c, bufio.NewReader(c))
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		running.Wait()
	})
	return ln.Addr().String()
}

// until reads lines up to one that begins with a word.
func until(r *bufio.Reader, word string) (lines []string) {
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return lines
		}
		lines = append(lines, strings.TrimRight(line, "\r\n"))
		if strings.HasPrefix(line, word) {
			return lines
		}
	}
}

// TestOneWrite: with PIPELINING all commands come before any reply to them, and the
// answers find their recipients.
func TestOneWrite(t *testing.T) {
	addr := script(t, func(_ int, c net.Conn, r *bufio.Reader) {
		fmt.Fprint(c, "220 x\r\n")
		until(r, "EHLO")
		fmt.Fprint(c, "250-x\r\n250 PIPELINING\r\n")
		lines := until(r, "DATA")
		if len(lines) != 5 {
			t.Errorf("%q", lines)
		}
		fmt.Fprint(c, "250 2.1.0 Ok\r\n450 4.2.1 Later\r\n250 Ok\r\n550-5.1.1 No\r\n550 5.1.1 Never\r\n354 Go\r\n")
		until(r, ".\r\n")
		fmt.Fprint(c, "250 2.0.0 Taken\r\n")
		until(r, "QUIT")
	})
	w := newWorld(t, nil)
	w.network.Host("192.0.2.1:25", addr)
	w.send(t, "450 4.2.1 mx1.example, ok, 550 5.1.1 mx1.example", "a", "b", "c")
	w.relay.Close()
}

// TestOneByOne: without PIPELINING no command is sent before the reply to the last.
func TestOneByOne(t *testing.T) {
	addr := script(t, func(_ int, c net.Conn, r *bufio.Reader) {
		fmt.Fprint(c, "220 x\r\n")
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			if r.Buffered() > 0 {
				t.Errorf("more came with %q", line)
			}
			if !strings.HasPrefix(line, "DATA") {
				fmt.Fprint(c, "250 Ok\r\n")
				continue
			}
			fmt.Fprint(c, "354 Go\r\n")
			until(r, ".\r\n")
			fmt.Fprint(c, "250 Taken\r\n")
		}
	})
	w := newWorld(t, nil)
	w.network.Host("192.0.2.1:25", addr)
	w.send(t, "ok, ok", "a", "b")
	w.relay.Close()
}

// TestDataWithoutRecipients: a server that wants content for nobody gets none of it
// (RFC 2920 3.1).
func TestDataWithoutRecipients(t *testing.T) {
	p := testkit.NewPeer(t, testkit.PeerOptions{Answer: func(s testkit.Stage, line string) string {
		switch {
		case s == testkit.Rcpt && strings.Contains(line, "bad"):
			return "550 5.1.1 No"
		case s == testkit.Data:
			return "354 Go on"
		}
		return ""
	}})
	w := newWorld(t, map[string]*testkit.Peer{"192.0.2.1": p})
	w.send(t, "550 5.1.1 mx1.example, 550 5.1.1 mx1.example", "bad", "bad2")
	w.send(t, "ok", "good")
	if m := p.Messages(); len(m) != 1 || m[0].Data != content || p.Sessions() != 1 {
		t.Errorf("%d sessions, %+v", p.Sessions(), m)
	}
}

// TestManyRecipients: more than go into one group.
func TestManyRecipients(t *testing.T) {
	p := testkit.NewPeer(t, testkit.PeerOptions{Answer: refuse(testkit.Rcpt, "450 4.2.1 Later")})
	w := newWorld(t, map[string]*testkit.Peer{"192.0.2.1": p})
	var locals, want []string
	for i := range 250 {
		if i%3 == 0 {
			locals, want = append(locals, fmt.Sprintf("bad%d", i)), append(want, "450 4.2.1 mx1.example")
		} else {
			locals, want = append(locals, fmt.Sprintf("good%d", i)), append(want, "ok")
		}
	}
	w.send(t, strings.Join(want, ", "), locals...)
	if m := p.Messages(); len(m) != 1 || len(m[0].To) != strings.Count(strings.Join(want, ","), "ok") {
		t.Error(len(m))
	}
}

// TestOutOfTurn: what a server says without being asked is never taken for an answer.
func TestOutOfTurn(t *testing.T) {
	for what, greeting := range map[string]string{
		"all answers at once": "220 x\r\n250 x\r\n250 Ok\r\n250 Ok\r\n354 Go\r\n250 Taken\r\n",
		"one too many":        "220 x\r\n250 x\r\n",
	} {
		addr := script(t, func(_ int, c net.Conn, r *bufio.Reader) {
			fmt.Fprint(c, greeting)
			until(r, "QUIT")
		})
		w := newWorld(t, nil)
		w.network.Host("192.0.2.1:25", addr)
		if got := brief(w.relay.Attempt(t.Context(), mail("one.example", "a"))); got != "451 4.4.2" {
			t.Errorf("%s: %s", what, got)
		}
	}
	// In an idle session.
	for what, words := range map[string]string{"goes": "", "says so": "421 4.4.2 Idle\r\n", "babbles": "250 Ok\r\n250 Ok\r\n"} {
		gone := make(chan struct{})
		addr := script(t, func(n int, c net.Conn, r *bufio.Reader) {
			fmt.Fprint(c, "220 x\r\n")
			until(r, "EHLO")
			fmt.Fprint(c, "250-x\r\n250 PIPELINING\r\n")
			until(r, "DATA")
			fmt.Fprint(c, "250 Ok\r\n250 Ok\r\n354 Go\r\n")
			until(r, ".\r\n")
			fmt.Fprint(c, "250 Taken\r\n")
			if n == 1 {
				fmt.Fprint(c, words)
				if words == "" {
					return
				}
				r.ReadByte() // until the client has gone
				close(gone)
				return
			}
			until(r, "QUIT")
		})
		w := newWorld(t, nil)
		w.network.Host("192.0.2.1:25", addr)
		w.relay.opts.Timeouts.Idle = time.Hour
		w.send(t, "ok", "a")
		if words != "" {
			<-gone
		}
		w.send(t, "ok", "b")
		if n := len(w.network.Dials()); n != 2 {
			t.Errorf("%s: %d sessions", what, n)
		}
		w.relay.Close()
	}
}

// TestEndless: no server can make us read for ever.
func TestEndless(t *testing.T) {
	endless := func(word string) string {
		return script(t, func(_ int, c net.Conn, _ *bufio.Reader) {
			block := []byte(strings.Repeat(word, 100))
			for {
				if _, err := c.Write(block); err != nil {
					return
				}
			}
		})
	}
	for _, word := range []string{"220-x\r\n", "2", "220 x\r\n", "\r\n", "\x00", "22"} {
		w := newWorld(t, nil)
		w.network.Host("192.0.2.1:25", endless(word))
		w.send(t, "451 4.4.2", "a")
	}
}

// TestHalfAReply: a reply that does not end is no reply.
func TestHalfAReply(t *testing.T) {
	for _, half := range []string{"2", "220-x\r\n", "220 x", "220 x\r"} {
		addr := script(t, func(_ int, c net.Conn, r *bufio.Reader) {
			fmt.Fprint(c, half)
			r.ReadByte() // until the client has enough
		})
		w := newWorld(t, nil)
		w.network.Host("192.0.2.1:25", addr)
		w.send(t, "451 4.4.2", "a")
	}
}

// TestSilence: an address that let us wait is left alone for some minutes, and one
// that refused at once is not.
func TestSilence(t *testing.T) {
	p := testkit.NewPeer(t, testkit.PeerOptions{})
	w := newWorld(t, map[string]*testkit.Peer{"192.0.2.2": p})
	now := time.Now()
	wait := time.Duration(0)
	w.relay.opts.Now = func() time.Time {
		now = now.Add(wait / 2) // a dial has two looks at the clock
		return now
	}
	try := func(what, want string, dials int) {
		t.Helper()
		before := len(w.network.Dials())
		got := brief(w.relay.Attempt(t.Context(), mail("two.example", "a")))
		if n := len(w.network.Dials()) - before; got != want || n != dials {
			t.Errorf("%s: %s, %d dials; want %s, %d", what, got, n, want, dials)
		}
	}
	only := func(domain string) Message { return mail(domain, "a") }
	try("refused", "ok", 2)
	w.relay.pool.drain()
	wait = time.Minute
	if got := brief(w.relay.Attempt(t.Context(), only("one.example"))); got != "451 4.4.1" {
		t.Error(got)
	}
	wait = 0
	before := len(w.network.Dials())
	if got := brief(w.relay.Attempt(t.Context(), only("one.example"))); got != "451 4.4.1" || len(w.network.Dials()) != before {
		t.Error(got, w.network.Dials())
	}
	w.network.Host("192.0.2.1:25", p.Addr())
	now = now.Add(silentFor)
	if got := brief(w.relay.Attempt(t.Context(), only("one.example"))); got != "ok" {
		t.Error(got)
	}
}

// TestSilentServer: so is one that takes the connection and says nothing; one that
// says something, however late, is not.
func TestSilentServer(t *testing.T) {
	for answer, dials := range map[string]int{testkit.Hang: 1, testkit.Drop: 2, "450 4.3.2 Later": 2} {
		p := testkit.NewPeer(t, testkit.PeerOptions{Answer: refuse(testkit.Greeting, answer)})
		w := newWorld(t, map[string]*testkit.Peer{"192.0.2.1": p})
		now := time.Now()
		w.relay.opts.Now = func() time.Time {
			now = now.Add(30 * time.Second)
			return now
		}
		for range 2 {
			w.relay.Attempt(t.Context(), mail("one.example", "a"))
		}
		if n := len(w.network.Dials()); n != dials {
			t.Errorf("%q: %d dials", answer, n)
		}
	}
}

// TestSilenceIsBounded: the memory does not grow without end.
func TestSilenceIsBounded(t *testing.T) {
	var s silence
	for i := range 2*maxSilent + 5 {
		h := hop{at: addrPort(i)}
		s.note(h.at, fault.New(fault.Undeliverable, ""), time.Minute, time.Now())
	}
	if len(s.hosts) > maxSilent {
		t.Error(len(s.hosts))
	}
}

// TestOrder: families take turns, and a server that we talk to comes first among
// equals.
func TestOrder(t *testing.T) {
	var got []string
	for _, a := range alternate(addrs("192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1", "2001:db8::2")) {
		got = append(got, a.String())
	}
	if want := []string{"2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2", "192.0.2.3"}; !slices.Equal(got, want) {
		t.Error(got)
	}
	p := testkit.NewPeer(t, testkit.PeerOptions{})
	w := newWorld(t, map[string]*testkit.Peer{"192.0.2.1": p, "192.0.2.2": p})
	w.dns.Set(t, strings.ReplaceAll(zone, "MX 20 mx2", "MX 10 mx2"))
	for range 20 {
		if got := brief(w.relay.Attempt(t.Context(), mail("two.example", "a"))); got != "ok" {
			t.Fatal(got)
		}
	}
	if p.Sessions() != 1 {
		t.Errorf("%d sessions", p.Sessions())
	}
}

// TestParallel: many attempts at once share sessions, and each message arrives once.
func TestParallel(t *testing.T) {
	p := testkit.NewPeer(t, testkit.PeerOptions{})
	w := newWorld(t, map[string]*testkit.Peer{"192.0.2.1": p})
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 20 {
				if got := brief(w.relay.Attempt(t.Context(), mail("one.example", fmt.Sprintf("m%d-%d", i, j)))); got != "ok" {
					t.Error(got)
				}
				if j == 10 {
					w.relay.Apply(Settings{Hostname: fmt.Sprintf("mail%d.test", i)})
				}
			}
		})
	}
	all.Wait()
	w.relay.Close()
	seen := make(map[string]bool)
	for _, m := range p.Messages() {
		if len(m.To) != 1 || seen[m.To[0]] {
			t.Errorf("%q", m.To)
		}
		seen[m.To[0]] = true
	}
	if len(seen) != 160 {
		t.Error(len(seen))
	}
}
