package pop3d

import "facteur/server/connection"

// Greet is that of connection.Protocol (RFC 1939 4). Without <...> in it, which would announce APOP.
func (s *session) Greet() { s.ok(s.o.Hostname + " POP3 facteur") }

// cmdCapa is RFC 2449 5.
func (s *session) cmdCapa(args string) {
	if !s.none(args) || s.drop == nil && !s.Punish(connection.IdleCommand) {
		return
	}
	s.ok("The capabilities follow")
	for _, line := range s.capabilities() {
		s.text(line)
	}
	s.endText()
}

// capabilities returns what can be used on this connection, in both states:
// RFC 2449 6 has those of the login announced after it too.
func (s *session) capabilities() []string {
	out := []string{"TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "EXPIRE NEVER"}
	if s.LoginAllowed() {
		out = append(out, "USER", "SASL "+mechanisms)
	}
	if s.CanStartTLS() {
		out = append(out, "STLS")
	}
	return append(out, "IMPLEMENTATION facteur")
}

// cmdStls is RFC 2595 4.
func (s *session) cmdStls(args string) {
	if s.none(args) {
		s.StartTLS(func() { s.ok("Begin TLS") })
	}
}
