package safefile

import (
	"sync/atomic"
	"time"
)

// Clock gives times that tell which of two came first: each is later than all before, in steps of
// one ns at least, also when the clock of the system is set back. The zero value is ready.
type Clock struct{ last atomic.Int64 }

// Next returns now, or a time just after the last one where that is later.
func (c *Clock) Next(now time.Time) time.Time {
	for {
		last := c.last.Load()
		next := max(now.UnixNano(), last+1)
		if c.last.CompareAndSwap(last, next) {
			return time.Unix(0, next)
		}
	}
}
