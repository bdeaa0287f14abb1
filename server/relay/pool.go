package relay

import (
	"errors"
	"net/netip"
	"os"
	"sync"
	"time"
)

// The bounds of sessions that are kept.
const (
	maxIdle     = 100             // in all
	maxIdleEach = 10              // of one server
	maxUses     = 100             // messages in one session
	maxLife     = 5 * time.Minute // of a session
)

// poolKey is what sessions have to agree in to be exchangeable: where they lead, what
// was made sure of, and under which settings.
type poolKey struct {
	at      netip.AddrPort
	host    string
	need    string // the fingerprint of a tlsNeed
	version int
}

// pool has the idle sessions. Each is watched by a goroutine that reads from it: a
// session that its server ends, or on which it says anything, is gone at once, so
// that none of this is taken for a reply to the next message.
type pool struct {
	timeouts Timeouts

	mu     sync.Mutex
	idle   map[poolKey][]*client // the last used at the end
	count  int
	closed bool

	watchers sync.WaitGroup
}

func (p *pool) init(t Timeouts) {
	p.timeouts, p.idle = t, make(map[poolKey][]*client)
}

// take returns an idle session, or nil. It belongs to the caller.
func (p *pool) take(key poolKey) *client {
	for {
		p.mu.Lock()
		all := p.idle[key]
		if len(all) == 0 {
			p.mu.Unlock()
			return nil
		}
		c := all[len(all)-1]
		p.remove(key, c)
		p.mu.Unlock()
		c.conn.SetReadDeadline(time.Unix(1, 0)) // ends the watcher
		if <-c.quiet {
			return c
		}
	}
}

// has tells whether there is an idle session with a host.
func (p *pool) has(host string, version int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key := range p.idle {
		if key.host == host && key.version == version {
			return true
		}
	}
	return false
}

// put keeps a session; it tells whether it does.
func (p *pool) put(key poolKey, c *client) bool {
	if c.uses >= maxUses || time.Since(c.made) > maxLife || c.r.Buffered() > 0 || p.timeouts.Idle < 0 {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.count >= maxIdle || len(p.idle[key]) >= maxIdleEach {
		return false
	}
	p.idle[key] = append(p.idle[key], c)
	p.count++
	c.quiet = make(chan bool, 1)
	c.conn.SetDeadline(time.Now().Add(p.timeouts.Idle))
	p.watchers.Go(func() { p.watch(key, c) }) // ends with the deadline, take, drain or close
	return true
}

// end ends a session. Whoever used it does not wait for the answer to QUIT: what
// became of the message is not known elsewhere until then.
func (p *pool) end(c *client) { p.watchers.Go(c.close) }

// watch waits for anything to happen to an idle session.
func (p *pool) watch(key poolKey, c *client) {
	_, err := c.r.Peek(1)
	quiet := errors.Is(err, os.ErrDeadlineExceeded)
	p.mu.Lock()
	mine := p.remove(key, c)
	p.mu.Unlock()
	if !mine { // somebody has taken it
		if !quiet {
			c.conn.Close()
		}
		c.quiet <- quiet
		return
	}
	c.broken = !quiet
	c.close()
}

// remove takes a session out; it tells whether it was there. p.mu is held.
func (p *pool) remove(key poolKey, c *client) bool {
	all := p.idle[key]
	for i, have := range all {
		if have != c {
			continue
		}
		p.count--
		if len(all) == 1 {
			delete(p.idle, key)
		} else {
			p.idle[key] = append(all[:i:i], all[i+1:]...)
		}
		return true
	}
	return false
}

// drain ends all idle sessions.
func (p *pool) drain() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, all := range p.idle {
		for _, c := range all {
			c.conn.SetReadDeadline(time.Unix(1, 0)) // its watcher says QUIT
		}
	}
}

func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.drain()
	p.watchers.Wait()
}
