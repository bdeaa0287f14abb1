package imapd

import (
	"io"
	"net"
	"sync"
	"time"

	"facteur/server/fault"
)

const (
	writeTimeout   = time.Minute     // for one write to make progress
	commandTimeout = 2 * time.Minute // for the next octets of a command that has begun
	byeTimeout     = 500 * time.Millisecond
	sendPiece      = 1 << 20 // what one sendfile may take writeTimeout for
)

// link is the network connection below TLS and compression. It keeps the
// deadlines: a large message may take as long as its octets flow.
type link struct {
	net.Conn

	mu    sync.Mutex
	woken bool      // reading ends at once, until heard
	by    time.Time // reading ends then; zero: each read has commandTimeout
	limit time.Time // reading ends then at the latest; zero: none
}

func newLink(c net.Conn) *link { return &link{Conn: c} }

// wake ends the read that is under way, or the next, with a timeout. For any
// goroutine.
func (l *link) wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.woken = true
	_ = l.Conn.SetReadDeadline(time.Unix(1, 0)) // of a closed connection: nobody waits
}

// heard tells whether there was a wake since the last call.
func (l *link) heard() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	woken := l.woken
	l.woken = false
	return woken
}

// waitUntil sets when reading ends. Zero: each read has commandTimeout anew.
func (l *link) waitUntil(t time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.by = t
}

// setLimit sets when reading ends at the latest, whatever waitUntil says.
func (l *link) setLimit(t time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.limit = t
}

// Read is that of net.Conn, with the deadline that goes for it.
func (l *link) Read(p []byte) (int, error) {
	l.mu.Lock()
	if !l.woken {
		by := l.by
		if by.IsZero() {
			by = time.Now().Add(commandTimeout)
		}
		if !l.limit.IsZero() && l.limit.Before(by) {
			by = l.limit
		}
		if err := l.Conn.SetReadDeadline(by); err != nil {
			l.mu.Unlock()
			return 0, err
		}
	}
	l.mu.Unlock()
	return l.Conn.Read(p)
}

// Write is that of net.Conn; each call has the timeout anew.
func (l *link) Write(p []byte) (int, error) {
	if err := l.Conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return 0, err
	}
	return l.Conn.Write(p)
}

// ReadFrom writes r, with sendfile where the system can.
func (l *link) ReadFrom(r io.Reader) (int64, error) {
	to, ok := l.Conn.(io.ReaderFrom)
	if !ok {
		return io.Copy(struct{ io.Writer }{l}, r)
	}
	left := int64(1<<63 - 1)
	if limited, ok := r.(*io.LimitedReader); ok { // net looks through one only
		r, left = limited.R, limited.N
	}
	total := int64(0)
	for total < left {
		if err := l.Conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
			return total, err
		}
		piece := min(sendPiece, left-total)
		n, err := to.ReadFrom(&io.LimitedReader{R: r, N: piece})
		total += n
		if err != nil || n < piece {
			return total, err
		}
	}
	return total, nil
}

// What is read of a client that goes on sending after the last reply.
const (
	lingerTime = 2 * time.Second
	lingerSize = 4 << 20
)

// linger ends what is written, and reads on for a while. Closing a connection on
// which something unread waits would reset it, and the client might never see
// the last reply.
func (l *link) linger() {
	half, ok := l.Conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	l.waitUntil(time.Now().Add(lingerTime))
	_, _ = io.CopyN(io.Discard, struct{ io.Reader }{l}, lingerSize) // whatever comes
}

// refuse ends a connection that gets no session. Where TLS is first, nothing can
// be said.
func (l *link) refuse(why *fault.Fault, tlsFirst bool) {
	if !tlsFirst {
		_ = l.Conn.SetWriteDeadline(time.Now().Add(byeTimeout)) // best effort
		_, _ = io.WriteString(l.Conn, "* BYE ["+codes[why.Kind]+"] "+why.Text+"\r\n")
	}
	l.Close()
}
