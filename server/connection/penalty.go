package connection

import (
	"time"

	"facteur/server/fault"
)

// Mistakes cost points. From slowFrom on each answer to one is delayed, more
// and more, and at maxPenalty the session is closed. So 20 bad commands or 5
// failed logins end a session. Clients without limits get no points.
const (
	BadCommand   = 5  // unknown, malformed or out of order
	FailedLogin  = 20 // wrong name or password
	IdleCommand  = 1  // without a login, and of no use
	slowFrom     = 25
	maxPenalty   = 100
	delayByPoint = 50 * time.Millisecond
)

var errErrors = fault.Reply(fault.Malformed, 421, "4.7.0", "Too many errors, closing connection")

// Limited tells whether the limits of connections and mistakes hold.
func (c *Conn) Limited() bool {
	return c.Settings.LimitTrusted || !c.Exempt && c.Settings.HoldFor(c.Info.Remote.Addr())
}

// Punish adds points. It returns false when the session has ended by that.
func (c *Conn) Punish(points int) bool {
	if !c.Limited() {
		return true
	}
	c.penalty += points
	if c.penalty >= maxPenalty {
		if told := c.Settings.Offended; told != nil {
			told(c.Info.Remote.Addr())
		}
		c.Bye(errErrors)
		c.Linger()
		return false
	}
	return c.penalty <= slowFrom || c.Pause(time.Duration(c.penalty-slowFrom)*delayByPoint)
}

// Pardon takes all points back.
func (c *Conn) Pardon() { c.penalty = 0 }

// Mistake replies to a bad command.
func (c *Conn) Mistake(f *fault.Fault) {
	if c.Punish(BadCommand) {
		c.protocol.Reply(f)
	}
}

// Pause sends what is queued and waits, to slow a client down; not longer than
// until the session is to end. It returns false when the connection is broken.
func (c *Conn) Pause(d time.Duration) bool {
	if c.Flush(); c.Done {
		return false
	}
	select {
	case <-time.After(d):
	case <-c.woken:
	}
	return true
}
