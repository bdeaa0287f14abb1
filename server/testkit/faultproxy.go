package testkit

import (
	"crypto/tls"
	"maps"
	"math/rand/v2"
	"net"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"
)

// FaultProxyOptions say what a FaultProxy is like.
type FaultProxyOptions struct {
	Address string // "127.0.0.2:25"; "" is 127.0.0.1 and a free port
	Seed    uint64
	// Rate is the part of the steps of a session (a connection, a command, the
	// content) at which something goes wrong.
	Rate float64
	TLS  *tls.Config // nil: no STARTTLS
	// ID finds what tells a message from others: its first group, in the content.
	ID *regexp.Regexp
}

// Handover is a message with one recipient whose whole content has reached the
// receiver.
type Handover struct {
	ID, From, To string
	Since        time.Time // when its session began
	At           time.Time // when the end of the content was passed on
	Reply        string    // of the receiver, its first line; "" when it gave none
	Answered     time.Time // when the whole reply had been written to the sender; zero: never
}

// FaultProxy stands before an SMTP receiver and makes it fail at random in every
// way: it refuses, resets, answers 4xx or 5xx at each stage, is slow, answers half
// or nonsense, spoils TLS, and is gone before the answer to the content. It knows
// what the receiver was given and what the sender was told of it.
//
// Each connection has a goroutine; mu is held for single values only.
type FaultProxy struct {
	opts FaultProxyOptions
	addr string
	end  chan struct{}

	mu        sync.Mutex
	rng       *rand.Rand
	receiver  string
	calm      bool
	handovers []*Handover
	counts    map[string]int
	conns     map[net.Conn]bool
}

// NewFaultProxy starts a proxy. It ends with the test. Without a receiver it
// refuses all.
func NewFaultProxy(t testing.TB, o FaultProxyOptions) *FaultProxy {
	t.Helper()
	if o.Address == "" {
		o.Address = "127.0.0.1:0"
	}
	ln, err := net.Listen("tcp", o.Address)
	if err != nil {
		t.Fatal(err)
	}
	p := &FaultProxy{
		opts: o, addr: ln.Addr().String(), end: make(chan struct{}), rng: rand.New(rand.NewPCG(o.Seed, 0)),
		counts: make(map[string]int), conns: make(map[net.Conn]bool),
	}
	var running sync.WaitGroup
	running.Go(func() { p.serve(ln, &running) })
	t.Cleanup(func() {
		p.close()
		running.Wait()
	})
	return p
}

// Addr is where the proxy listens.
func (p *FaultProxy) Addr() string { return p.addr }

// Receiver sets the address of the receiver; "" for none.
func (p *FaultProxy) Receiver(address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.receiver = address
}

// Calm makes the proxy pass all from now on.
func (p *FaultProxy) Calm() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calm = true
}

// Handovers returns what has reached the receiver so far.
func (p *FaultProxy) Handovers() []Handover {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([]Handover, len(p.handovers))
	for i, h := range p.handovers {
		list[i] = *h
	}
	return list
}

// Faults returns how often each fault was made, by "stage fault".
func (p *FaultProxy) Faults() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.counts)
}

// serve takes connections. To refuse, it stops listening for a moment.
func (p *FaultProxy) serve(ln net.Listener, running *sync.WaitGroup) {
	running.Go(func() { <-p.end; p.closeConns() })
	for {
		stop := make(chan struct{})
		watched := make(chan struct{})
		go func() {
			defer close(watched)
			select {
			case <-p.end:
			case <-stop:
			}
			ln.Close()
		}()
		p.accept(ln, running)
		close(stop)
		<-watched
		if ln = p.listenAgain(); ln == nil {
			return
		}
	}
}

// accept takes connections until one is to be refused.
func (p *FaultProxy) accept(ln net.Listener, running *sync.WaitGroup) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return // closed
		}
		if p.draw("connect", refuse) == refuse {
			reset(c)
			return
		}
		running.Go(func() { p.session(c) })
	}
}

// listenAgain waits for a moment and listens again, nil at the end.
func (p *FaultProxy) listenAgain() net.Listener {
	for {
		if !p.wait(50 * time.Millisecond) {
			return nil
		}
		if ln, err := net.Listen("tcp", p.addr); err == nil {
			return ln
		}
	}
}

// wait returns after a time, false when the proxy ends.
func (p *FaultProxy) wait(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-p.end:
		return false
	}
}

func (p *FaultProxy) close() { close(p.end) }

func (p *FaultProxy) closeConns() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
}

// hold notes an open connection, which ends with the proxy.
func (p *FaultProxy) hold(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns[c] = true
	select {
	case <-p.end:
		c.Close()
	default:
	}
}

func (p *FaultProxy) drop(c net.Conn) {
	c.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

// draw decides what happens at a stage: mostly nothing, "".
func (p *FaultProxy) draw(stage Stage, faults ...string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.calm || p.rng.Float64() >= p.opts.Rate {
		return ""
	}
	f := faults[p.rng.IntN(len(faults))]
	p.counts[string(stage)+" "+f]++
	return f
}

// number returns a random number below n.
func (p *FaultProxy) number(n int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rng.IntN(n)
}

// handed notes that the receiver is about to have a whole message.
func (p *FaultProxy) handed(h Handover, to []string) []*Handover {
	p.mu.Lock()
	defer p.mu.Unlock()
	h.At = time.Now()
	var list []*Handover
	for _, rcpt := range to {
		one := h
		one.To = rcpt
		list = append(list, &one)
	}
	p.handovers = append(p.handovers, list...)
	return slices.Clone(list)
}

func (p *FaultProxy) replied(list []*Handover, reply string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range list {
		h.Reply = reply
	}
}

func (p *FaultProxy) answered(list []*Handover) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range list {
		h.Answered = time.Now()
	}
}

// reset ends a connection so that the other side sees ECONNRESET.
func reset(c net.Conn) {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetLinger(0) // fails only when it is closed
	}
	c.Close()
}
