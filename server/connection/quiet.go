package connection

import (
	"errors"
	"os"
	"time"
)

// Quiet tells how a wait for a silent client ended.
type Quiet uint8

// The values of Quiet.
const (
	Waited Quiet = iota // the time is over, or the session is to end: the next Ended says so
	Talked              // the client said something
	Left                // it is gone
)

// WaitQuiet waits for a time in which the client is to say nothing, such as before the
// greeting (RFC 5321 4.3.1). It ends early when the client talks or leaves, and when the
// session is to end.
func (c *Conn) WaitQuiet(d time.Duration) Quiet {
	if c.R.Buffered() > 0 {
		return Talked
	}
	if !c.enter(waiting, time.Now().Add(d)) {
		return Waited
	}
	defer c.leave()
	_, err := c.R.First()
	switch {
	case err == nil:
		return Talked
	case errors.Is(err, os.ErrDeadlineExceeded):
		return Waited
	}
	c.Done = true
	return Left
}
