package pop3d

import "time"

// Mistakes cost points. From slowFrom on each answer to one is delayed, more
// and more, and at maxPenalty the session is closed. So 20 bad commands or 5
// failed logins end a session. A login clears the points; trusted clients get
// none.
const (
	badCommand   = 5  // unknown, malformed or out of order
	failedLogin  = 20 // wrong name or password
	idleCommand  = 1  // CAPA, USER: without a login
	slowFrom     = 25
	maxPenalty   = 100
	delayByPoint = 50 * time.Millisecond
)

// punish adds points. It returns false when the session has ended by that.
func (s *session) punish(points int) bool {
	if !s.limited(s.o) {
		return true
	}
	s.penalty += points
	if s.penalty >= maxPenalty {
		s.bye("", "Too many errors, closing connection")
		s.linger()
		return false
	}
	if s.penalty > slowFrom {
		if err := s.w.Flush(); err != nil {
			s.broken(err)
			return false
		}
		select {
		case <-time.After(time.Duration(s.penalty-slowFrom) * delayByPoint):
		case <-s.woken:
		}
	}
	return true
}

// mistake replies to a bad command.
func (s *session) mistake(text string) {
	if s.punish(badCommand) {
		s.err("", text)
	}
}
