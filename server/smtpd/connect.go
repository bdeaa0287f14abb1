package smtpd

import (
	"context"
	"time"

	"facteur/server/connection"
	"facteur/server/envelope"
	"facteur/server/fault"
)

// Greeting is how a client is greeted.
type Greeting struct {
	RDNS    string        // its verified name, "" when it is not known
	Delay   time.Duration // before the greeting, whatever it is
	Refusal *fault.Fault  // nil: it is welcome
}

// Connect says how a client of the service smtp is greeted. ctx ends with the session's
// server.
type Connect func(ctx context.Context, sess envelope.Session) Greeting

// maxWaiting is how many clients wait for a delayed greeting at once; others are greeted
// without. So those who are slowed take up a part of all connections only.
const maxWaiting = 100

var errEarly = fault.Reply(fault.Malformed, 554, "5.5.1", "You spoke before the greeting")

// welcome decides on the greeting. It returns false when the session has ended, or only
// QUIT is left to it.
func (s *session) welcome() bool {
	if s.o.Connect == nil || s.Info.Listener != SMTP {
		return true
	}
	g := s.o.Connect(s.srv.conns.Context(), s.Info)
	s.Info.RDNS = g.RDNS
	if g.Delay > 0 && s.srv.waiting.Add(1) <= maxWaiting {
		defer s.srv.waiting.Add(-1)
		switch s.WaitQuiet(g.Delay) {
		case connection.Talked:
			g.Refusal = errEarly
		case connection.Left:
			return false
		}
	} else if g.Delay > 0 {
		s.srv.waiting.Add(-1)
	}
	if s.Ended() {
		return false
	}
	if g.Refusal != nil {
		s.turnAway(g.Refusal)
		return false
	}
	return true
}

// turnAway refuses a client: for now with 421, which ends the session (RFC 5321 3.8), for
// good with 554, after which only QUIT is left (RFC 5321 3.1).
func (s *session) turnAway(f *fault.Fault) {
	s.LogRefusal("connect", f)
	if f.Code < 500 {
		s.Bye(fault.Reply(f.Kind, 421, f.Enhanced(), f.Text))
		s.Linger()
		return
	}
	s.refused = true
	s.reply(554, "", s.o.Hostname+" "+f.Text) // no enhanced code in a greeting: RFC 2034 4
}

// onlyQuit answers the commands of a client that was turned away (RFC 5321 3.1).
func (s *session) onlyQuit(verb string) {
	if verb == "QUIT" {
		s.lastOfGroup(verb, "")
		return
	}
	s.mistake(503, "5.5.1", "There is no service for you here")
}
