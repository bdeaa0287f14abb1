package pop3d

import (
	"net"
	"time"
)

// link is the connection below a session. It keeps the deadlines of writes:
// each has the time anew, so a large message may take as long as its octets flow.
type link struct {
	raw  net.Conn // as accepted
	conn net.Conn // raw, or TLS over it

	writeTime time.Duration // how long the client may take to take a part of a reply
}

// Read is that of the connection.
func (l *link) Read(p []byte) (int, error) { return l.conn.Read(p) }

// Write is that of the connection.
func (l *link) Write(p []byte) (int, error) {
	if err := l.raw.SetWriteDeadline(time.Now().Add(l.writeTime)); err != nil {
		return 0, err
	}
	return l.conn.Write(p)
}
