// Package listen keeps the sockets of the server across reloads. A change is
// planned first: what is new gets bound, and when that fails nothing has
// changed. Commit then starts what was bound and closes what is not wanted any
// more; Abort takes the plan back. A socket that stays is never closed, also
// when its port goes to another service.
//
// Addresses are "host:port", ":port" or "unix:/path". A socket file is made
// with mode 0660, under its name only when it listens already, so it replaces
// what a crash left behind; a file that is no socket, or one where somebody
// answers, is an error.
//
// A proxy may say whose a connection is that it makes: Options.Proxies tells which may, and of
// them the header of the PROXY protocol (HAProxy, versions 1 and 2) is read before anything else.
// RemoteAddr is the client's from then on, LocalAddr stays that of the socket. With LOCAL and
// UNKNOWN, and of a client without an IP address, it is the proxy's own. Of all others nothing is read here.
//
// When accepting fails (too many open files), it is tried again after 5 ms, at
// most after 1 s, without an end.
//
// There is one plan at a time, made and ended by one goroutine. Bound may be
// called by all. What a connection says otherwise is none of this package's business.
package listen

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"
)

// Wanted is a service and an address where it is to be had.
type Wanted struct {
	Service string // "smtp", "imaps" ...
	Address string // as in mail.toml: ":25", "127.0.0.1:0", "unix:/run/facteur/lmtp.sock"
}

// Bound is a socket that is open.
type Bound struct {
	Wanted
	Addr net.Addr // with the real port, where Address says 0
}

// Options of a Set.
type Options struct {
	// Serve serves the connections of ln until it is closed, and then returns.
	Serve func(ln net.Listener, service string)
	// Proxies returns who may speak for others at the moment. nil: nobody.
	Proxies func(Wanted) Proxies
	Log     *slog.Logger

	HeaderTime time.Duration // for the header of a proxy, 0: 5 s
}

// Set is all the sockets.
type Set struct {
	o       Options
	mu      sync.Mutex // guards sockets
	sockets []*socket
	serving sync.WaitGroup
}

// New returns a Set without sockets.
func New(o Options) *Set {
	if o.Proxies == nil {
		o.Proxies = func(Wanted) Proxies { return Proxies{} }
	}
	o.HeaderTime = cmp.Or(o.HeaderTime, defaultHeaderTime)
	return &Set{o: o}
}

// Bound returns the open sockets, in the order of the last plan.
func (s *Set) Bound() []Bound {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bound(s.sockets)
}

func bound(sockets []*socket) []Bound {
	out := make([]Bound, len(sockets))
	for i, k := range sockets {
		out[i] = Bound{k.wanted, k.ln.Addr()}
	}
	return out
}

// Close closes all sockets and returns when nobody serves them any more.
func (s *Set) Close() {
	s.mu.Lock()
	sockets := s.sockets
	s.sockets = nil
	s.mu.Unlock()
	for _, k := range sockets {
		k.close()
	}
	s.serving.Wait()
}

// Plan is a change that is prepared.
type Plan struct {
	set    *Set
	next   []*socket          // what will be open
	moved  map[*socket]Wanted // those of them that go to another service
	added  []*socket
	remove []*socket
}

// Plan binds what is wanted and not open yet. Its error tells of every address
// that can't be had; then nothing has changed.
func (s *Set) Plan(wanted []Wanted) (*Plan, error) {
	s.mu.Lock()
	open := slices.Clone(s.sockets)
	s.mu.Unlock()
	p := &Plan{set: s, next: make([]*socket, len(wanted)), moved: make(map[*socket]Wanted)}
	keep := func(same func(*socket, Wanted) bool) {
		for i, w := range wanted {
			if p.next[i] != nil {
				continue
			}
			if j := slices.IndexFunc(open, func(k *socket) bool { return same(k, w) }); j >= 0 {
				p.next[i] = open[j]
				open = slices.Delete(open, j, j+1)
			}
		}
	}
	keep(func(k *socket, w Wanted) bool { return k.wanted == w })
	keep(func(k *socket, w Wanted) bool { return k.wanted.Address == w.Address })
	p.remove = open
	var problems []error
	for i, w := range wanted {
		if k := p.next[i]; k != nil {
			if k.wanted != w {
				p.moved[k] = w
			}
			continue
		}
		ln, err := bind(w, p.remove)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		p.next[i] = s.newSocket(w, ln)
		p.added = append(p.added, p.next[i])
	}
	if problems != nil {
		p.Abort()
		return nil, errors.Join(problems...)
	}
	return p, nil
}

// Bound returns the sockets that will be open after Commit.
func (p *Plan) Bound() []Bound {
	out := bound(p.next)
	for i, k := range p.next {
		if w, ok := p.moved[k]; ok {
			out[i].Wanted = w
		}
	}
	return out
}

// Commit closes what is not wanted any more and serves what is new.
func (p *Plan) Commit() {
	s := p.set
	s.mu.Lock()
	s.sockets = p.next
	for k, w := range p.moved {
		k.wanted = w
	}
	s.mu.Unlock()
	for _, k := range p.remove {
		k.close()
		s.o.Log.Info("listen.closed", "service", k.wanted.Service, "address", k.ln.Addr().String())
	}
	for k := range p.moved {
		k.front.Close()
		s.serve(k)
	}
	for _, k := range p.added {
		s.serving.Go(k.accept)
		s.serve(k)
	}
}

// serve hands the connections of k to its service.
func (s *Set) serve(k *socket) {
	f := &front{socket: k, closed: make(chan struct{})}
	k.front = f
	service := k.wanted.Service
	s.serving.Go(func() { s.o.Serve(f, service) })
	s.o.Log.Info("listen.open", "service", service, "address", k.ln.Addr().String())
}

// Abort closes what the plan bound. After Commit it must not be called.
func (p *Plan) Abort() {
	for _, k := range p.added {
		k.close()
	}
}

// socket is a bound socket. Its goroutine accepts; the front of the service
// that it belongs to at the moment hands the connections on.
type socket struct {
	wanted Wanted // guarded by Set.mu
	ln     net.Listener
	log    *slog.Logger
	front  *front // of the goroutine that plans
	conns  chan net.Conn
	ctx    context.Context // ends with close
	cancel context.CancelFunc

	proxies    func() Proxies
	headerTime time.Duration
	unread     chan struct{}  // has one for each connection of a proxy that is not known yet
	reading    sync.WaitGroup // of them; accept waits for it
}

func (s *Set) newSocket(w Wanted, ln net.Listener) *socket {
	k := &socket{wanted: w, ln: ln, log: s.o.Log, conns: make(chan net.Conn), headerTime: s.o.HeaderTime, unread: make(chan struct{}, maxUnread)}
	k.proxies = func() Proxies {
		s.mu.Lock()
		w := k.wanted
		s.mu.Unlock()
		return s.o.Proxies(w)
	}
	k.ctx, k.cancel = context.WithCancel(context.Background())
	return k
}

func (k *socket) close() {
	k.cancel()
	k.ln.Close()
	if k.front != nil {
		k.front.Close()
	}
}

const (
	minPause = 5 * time.Millisecond
	maxPause = time.Second
)

// accept accepts until the socket is closed.
func (k *socket) accept() {
	defer k.reading.Wait()
	pause := minPause
	for {
		conn, err := k.ln.Accept()
		if k.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
			if err == nil {
				conn.Close()
			}
			return
		}
		if err != nil {
			k.log.Warn("listen.accept-failed", "address", k.ln.Addr().String(), "error", err, "pause", pause)
			select {
			case <-time.After(pause):
			case <-k.ctx.Done():
			}
			pause = min(2*pause, maxPause)
			continue
		}
		pause = minPause
		k.take(conn)
	}
}

// front is the net.Listener that a service sees.
type front struct {
	socket *socket
	once   sync.Once
	closed chan struct{}
}

// Accept returns the next connection; its only error is net.ErrClosed.
func (f *front) Accept() (net.Conn, error) {
	select {
	case <-f.closed:
		return nil, net.ErrClosed
	default:
	}
	select {
	case conn := <-f.socket.conns:
		return conn, nil
	case <-f.closed:
		return nil, net.ErrClosed
	}
}

// Addr is that of the socket.
func (f *front) Addr() net.Addr { return f.socket.ln.Addr() }

// Close ends Accept. The socket itself is closed by its Set.
func (f *front) Close() error {
	f.once.Do(func() { close(f.closed) })
	return nil
}
