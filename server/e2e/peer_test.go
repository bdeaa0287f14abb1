package e2e

import (
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"facteur/server/testkit"
)

// dns starts a name server on a zone file and sets $DNS to its address. What the
// zone does not have does not exist.
func (w *world) dns(neg bool, args []string) {
	if neg || len(args) != 1 {
		w.ts.Fatalf("usage: dns ZONEFILE")
	}
	d := testkit.NewDNS(w.tb, w.expandText(w.ts.ReadFile(args[0])))
	w.ts.Setenv("DNS", d.Addr())
}

// peers are the other mail servers of a case.
type peers struct {
	peer  *testkit.Peer
	heard chan struct{} // receives when a peer was spoken to; its buffer holds one
}

// peer starts another mail server on port 25 of a loopback address, $PEER, that
// answers as the rules in FILE say. "peer got N" waits until it has taken N
// messages and prints them.
func (w *world) peer(neg bool, args []string) {
	switch {
	case !neg && len(args) == 1:
		w.startPeer(w.ts.ReadFile(args[0]))
	case !neg && len(args) == 2 && args[0] == "got" && w.peers.peer != nil:
		n, err := strconv.Atoi(args[1])
		w.ts.Check(err)
		w.peerGot(n)
	default:
		w.ts.Fatalf("usage: peer RULES | got N")
	}
}

func (w *world) startPeer(rules string) {
	s, err := parseRules(rules)
	w.ts.Check(err)
	heard := make(chan struct{}, 1)
	w.peers = peers{heard: heard, peer: testkit.NewPeer(w.tb, testkit.PeerOptions{
		Answer: func(stage testkit.Stage, _ string) string {
			select {
			case heard <- struct{}{}:
			default:
			}
			return s.answer(stage)
		},
	})}
	w.ts.Setenv("PEER", w.forward(w.peers.peer.Addr()))
}

// forward makes what listens at address reachable at port 25 of a loopback
// address of its own, which it returns: mail servers have no other port.
func (w *world) forward(address string) string {
	host := loopback()
	ln, err := net.Listen("tcp", net.JoinHostPort(host, "25"))
	if err != nil && os.Getenv("E2E_REQUIRE") != "all" {
		w.tb.Skipf("port 25 of a loopback address can't be had: %v", err)
	}
	w.ts.Check(err)
	f := &forwarder{to: address}
	var accepting sync.WaitGroup
	accepting.Go(func() { f.serve(ln) })
	w.tb.Cleanup(func() {
		ln.Close()
		accepting.Wait()
		f.close()
	})
	return host
}

// forwarder connects what comes in with an address.
type forwarder struct {
	to      string
	running sync.WaitGroup
	open    []net.Conn // of serve's goroutine, until that has ended
}

func (f *forwarder) serve(ln net.Listener) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return // closed
		}
		d, err := net.Dial("tcp", f.to)
		if err != nil {
			c.Close()
			continue
		}
		f.open = append(f.open, c, d)
		f.running.Go(func() { pass(c, d) })
		f.running.Go(func() { pass(d, c) })
	}
}

// pass copies until one side has ended, and tells the other.
func pass(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	_ = to.(*net.TCPConn).CloseWrite()
}

func (f *forwarder) close() {
	for _, c := range f.open {
		c.Close()
	}
	f.running.Wait()
}

func (w *world) peerGot(n int) {
	timeout := time.After(patience)
	for len(w.peers.peer.Messages()) < n {
		select {
		case <-w.peers.heard:
		case <-timeout:
			w.ts.Fatalf("the peer has %d messages, not %d; it heard %q", len(w.peers.peer.Messages()), n, w.peers.peer.Lines())
		}
	}
	for _, m := range w.peers.peer.Messages() {
		fmt.Fprintf(w.ts.Stdout(), "== %s %s\n%s\n", m.From, strings.Join(m.To, " "), strings.ReplaceAll(m.Data, "\r\n", "\n"))
	}
	if got := len(w.peers.peer.Messages()); got != n {
		w.ts.Fatalf("the peer has %d messages, not %d", got, n)
	}
}

// rule is a reply of a peer at a stage, for a number of times.
type rule struct {
	times int // < 0: for ever
	reply string
}

// script is what a peer answers.
type script struct {
	mu    sync.Mutex
	rules map[testkit.Stage][]rule
}

// parseRules reads lines of `STAGE TIMES REPLY`: at the stage (greeting, mail,
// rcpt, data, dot ...) the reply is given so many times, "*" for ever, then the
// next line of that stage counts, at last the usual reply. "drop" as a reply
// closes the connection, "hang" never comes.
func parseRules(text string) (*script, error) {
	s := &script{rules: make(map[testkit.Stage][]rule)}
	for line := range strings.SplitSeq(text, "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		part := strings.SplitN(line, " ", 3)
		if len(part) != 3 {
			return nil, fmt.Errorf("%q is not STAGE TIMES REPLY", line)
		}
		r := rule{times: -1, reply: part[2]}
		if part[1] != "*" {
			n, err := strconv.Atoi(part[1])
			if err != nil {
				return nil, err
			}
			r.times = n
		}
		switch r.reply {
		case "drop":
			r.reply = testkit.Drop
		case "hang":
			r.reply = testkit.Hang
		}
		s.rules[testkit.Stage(part[0])] = append(s.rules[testkit.Stage(part[0])], r)
	}
	return s, nil
}

func (s *script) answer(stage testkit.Stage) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.rules[stage]
	for len(list) > 0 && list[0].times == 0 {
		list = list[1:]
	}
	s.rules[stage] = list
	if len(list) == 0 {
		return ""
	}
	list[0].times--
	return list[0].reply
}
