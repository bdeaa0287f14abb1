package connection

import (
	"net"
	"time"
)

// link is the connection below a session. It keeps the deadlines of writes:
// each has the time anew, so a large message may take as long as its octets
// flow; and those of reads while a text arrives.
type link struct {
	raw  net.Conn // as accepted
	conn net.Conn // raw, or TLS over it

	write time.Duration // how long the client may take to take a part of a reply
	pace  *Pace         // of the text that arrives, or nil
}

// Read is that of the connection.
func (l *link) Read(p []byte) (int, error) {
	if l.pace == nil {
		return l.conn.Read(p)
	}
	if err := l.raw.SetReadDeadline(l.pace.Deadline(time.Now())); err != nil {
		return 0, err
	}
	n, err := l.conn.Read(p)
	l.pace.Arrived(n)
	return n, err
}

// Write is that of the connection.
func (l *link) Write(p []byte) (int, error) {
	if err := l.raw.SetWriteDeadline(time.Now().Add(l.write)); err != nil {
		return 0, err
	}
	return l.conn.Write(p)
}

// Pace is how fast a text must arrive: something within each part of the time,
// all of it within the total, and from the end of the first part on at least
// minRate on average. So nobody holds a session by sending one octet a minute.
type Pace struct {
	start       time.Time
	part, total time.Duration
	octets      int64
}

const minRate = 1 << 10 // octets a second

// NewPace returns the Pace of a text that begins now.
func NewPace(part, total time.Duration) *Pace {
	return &Pace{start: time.Now(), part: part, total: total}
}

// Arrived notes that so many octets did.
func (p *Pace) Arrived(octets int) { p.octets += int64(octets) }

// Deadline is when the next octets must be there.
func (p *Pace) Deadline(now time.Time) time.Time {
	d := now.Add(p.part)
	if t := p.start.Add(p.total); t.Before(d) {
		d = t
	}
	earned := time.Duration(p.octets/minRate) * time.Second
	if t := p.start.Add(p.part + earned); t.Before(d) {
		d = t
	}
	return d
}
