package connection

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"facteur/server/auth"
	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/listen"
	"facteur/server/wire"
)

// Conn is one connection. The exported fields belong to the session's
// goroutine.
type Conn struct {
	Info     envelope.Session
	Started  time.Time
	Settings *Settings // newest at the last command
	Log      *slog.Logger
	R        *wire.Reader
	W        *wire.Writer
	Done     bool // the session ends, all is said

	TLSFirst bool // TLS from the first octet on
	Exempt   bool // no limits hold, whoever it is, unless LimitTrusted

	link     link
	server   *Server
	protocol Protocol
	tap      *wire.Tap
	penalty  int // points
	blanks   int // lines with nothing in them

	mu    sync.Mutex
	cred  auth.Credential // zero without a login; written by the session's goroutine alone
	phase phase
	why   *fault.Fault
	woken chan struct{} // closed when why is set
}

// phase is what the session's goroutine is at.
type phase uint8

const (
	working     phase = iota // in a command
	waiting                  // for a command
	handshaking              // TLS
)

// New returns a Conn of a service that speaks p. Start serves it.
func (s *Server) New(conn net.Conn, service string, p Protocol) *Conn {
	c := &Conn{
		Info: envelope.Session{
			ID:       envelope.NewID(),
			Listener: service,
			Remote:   listen.AddrPort(conn.RemoteAddr()),
			Local:    listen.AddrPort(conn.LocalAddr()),
		},
		Started:  time.Now(),
		Settings: p.Renew(),
		server:   s,
		protocol: p,
		woken:    make(chan struct{}),
	}
	c.link = link{raw: conn, conn: conn, write: c.Settings.Write}
	c.Log = s.config.Log.With("id", c.Info.ID)
	return c
}

// Serve is the whole session.
func (c *Conn) Serve() {
	c.open()
	c.Log.Debug(c.server.config.Name+".connected", "remote", c.link.raw.RemoteAddr().String(), "listener", c.Info.Listener)
	defer c.close()
	if c.TLSFirst && !c.handshake() {
		return
	}
	c.protocol.Greet()
	for !c.Done {
		c.step()
	}
	c.W.Flush()
}

// open takes the buffers of the session.
func (c *Conn) open() {
	c.tap = wire.NewTap(c.Log, c.server.config.Redact)
	c.R = c.server.readers.Get().(*wire.Reader)
	c.W = c.server.writers.Get().(*wire.Writer)
	c.R.Reset(&c.link, c.tap)
	c.W.Reset(&c.link, c.tap)
}

// close gives back what the session holds. A panic ends this session and no
// other.
func (c *Conn) close() {
	if p := recover(); p != nil {
		c.Log.Error(c.server.config.Name+".panic", "panic", p, "stack", string(debug.Stack()))
	}
	c.protocol.Release()
	c.link.conn.Close()
	c.R.Reset(nil, nil)
	c.W.Reset(nil, nil)
	c.server.readers.Put(c.R)
	c.server.writers.Put(c.W)
	c.Log.Debug(c.server.config.Name + ".closed")
}

// turnAway tells a client that there is no place for it. The reply fits into
// the empty buffer of a new socket, so it doesn't hold up those who come next.
func (c *Conn) turnAway(why *fault.Fault) {
	c.open()
	defer c.close()
	if !c.TLSFirst { // it would take a handshake to say so
		c.link.write = lingerTime
		c.protocol.Reply(why)
		c.W.Flush()
	}
}

// End is that of Session.
func (c *Conn) End(why *fault.Fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.why != nil {
		return
	}
	c.why = why
	close(c.woken)
	switch c.phase {
	case waiting:
		c.link.raw.SetReadDeadline(time.Unix(1, 0))
	case handshaking:
		c.link.raw.Close()
	}
}

// Cut is that of Session.
func (c *Conn) Cut() { c.link.raw.Close() }

// Credential is that of Session.
func (c *Conn) Credential() auth.Credential {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cred
}

// enter notes what the session is about to do, until the deadline. It returns
// false when the session is to end instead.
func (c *Conn) enter(p phase, deadline time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.why != nil {
		return false
	}
	c.phase = p
	c.link.raw.SetReadDeadline(deadline)
	return true
}

func (c *Conn) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.phase = working
}

// Ended tells whether the session is to end, and says so to the client.
func (c *Conn) Ended() bool {
	c.mu.Lock()
	why := c.why
	c.mu.Unlock()
	if why == nil && c.Revoked() {
		why = ErrRevoked
	}
	if why == nil {
		return false
	}
	c.Bye(why)
	return true
}

var errTLSHello = errors.New("a TLS handshake where plain text was expected")

// readLine reads a line within the deadline of commands. Replies that wait are
// sent before it blocks, not before: commands may come in groups (RFC 2920 3.2,
// RFC 2449 6.8).
func (c *Conn) readLine(secret bool) ([]byte, error) {
	if !c.R.HasLine() {
		if err := c.W.Flush(); err != nil {
			return nil, err
		}
		if !c.enter(waiting, c.protocol.Deadline()) {
			return nil, os.ErrDeadlineExceeded
		}
		defer c.leave()
		first, err := c.R.First()
		if err != nil {
			return nil, err
		}
		if first == 0x16 && !c.Info.TLS() { // RFC 8446 5.1: handshake(22)
			return nil, errTLSHello
		}
	}
	if secret {
		return c.R.SecretLine(maxAuthLine)
	}
	return c.R.Line(maxAuthLine)
}

// Receive calls read, which reads a text from R, within a Pace. It returns false
// when the session has ended.
func (c *Conn) Receive(p *Pace, read func() error) bool {
	c.link.pace = p
	err := read()
	c.link.pace = nil
	if err != nil {
		c.broken(err)
	}
	return err == nil
}

// Flush sends what is queued.
func (c *Conn) Flush() {
	if err := c.W.Flush(); err != nil {
		c.broken(err)
	}
}

// broken ends the session after an error of the connection.
func (c *Conn) broken(err error) {
	switch {
	case c.Ended():
	case errors.Is(err, os.ErrDeadlineExceeded) && c.server.config.LeaveSlow:
		c.Done = true
		c.Log.Info(c.server.config.Name+".ended", "why", "too slow")
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.byeMalformed("4.4.2", "Too slow")
	case errors.Is(err, wire.ErrEndless):
		c.byeMalformed("4.5.2", "No end in sight")
		c.Linger()
	case err == errTLSHello:
		c.byeMalformed("4.5.0", "TLS begins with "+c.server.config.StartTLS+" on this port")
	case err == io.EOF:
		c.Done = true
	default:
		c.Done = true
		c.Log.Debug(c.server.config.Name+".broken", "error", err)
	}
}

// Bye queues the last reply and ends the session (RFC 5321 3.8).
func (c *Conn) Bye(why *fault.Fault) {
	if c.Done {
		return
	}
	c.protocol.Reply(why)
	c.Log.Info(c.server.config.Name+".ended", "reply", why.Text)
	c.Done = true
}

// byeMalformed is Bye for a client that breaks the protocol.
func (c *Conn) byeMalformed(enhanced, text string) {
	c.Bye(fault.Reply(fault.Malformed, 421, enhanced, text+", closing connection"))
}

// How long, and for how many octets, the last reply gets to reach a client that
// is still sending.
const (
	lingerTime = 2 * time.Second
	lingerSize = 256 << 10
)

// Linger sends the last reply and reads on for a while. Closing a connection
// on which something unread waits would reset it, and the client might never
// see the reply.
func (c *Conn) Linger() {
	c.Done = true
	if c.W.Flush() != nil {
		return
	}
	half, ok := c.link.conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	if c.enter(waiting, time.Now().Add(lingerTime)) {
		io.CopyN(io.Discard, c.link.conn, lingerSize)
	}
}

// LogRefusal tells the operator what a command was refused for.
func (c *Conn) LogRefusal(verb string, f *fault.Fault) {
	attrs := []any{"remote", c.Info.Remote.Addr(), "command", verb, "code", f.Code, "status", f.Enhanced(), "text", f.Text}
	if f.Cause != nil {
		attrs = append(attrs, "error", f.Cause)
	}
	c.Log.Info(c.server.config.Name+".refused", attrs...)
}
