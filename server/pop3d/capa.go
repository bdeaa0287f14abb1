package pop3d

// greet is RFC 1939 4. Without <...> in it, which would announce APOP.
func (s *session) greet() { s.ok(s.o.Hostname + " POP3 facteur") }

// cmdCapa is RFC 2449 5.
func (s *session) cmdCapa(args string) {
	if !s.none(args) || s.drop == nil && !s.punish(idleCommand) {
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
	if s.loginAllowed() {
		out = append(out, "USER", "SASL "+mechanisms)
	}
	if s.canStls() {
		out = append(out, "STLS")
	}
	return append(out, "IMPLEMENTATION facteur")
}

func (s *session) canStls() bool {
	return s.o.TLS != nil && !s.info.TLS() && s.info.Remote.IsValid()
}

// cmdStls is RFC 2595 4.
func (s *session) cmdStls(args string) {
	switch {
	case !s.none(args):
		return
	case s.info.TLS():
		s.mistake("TLS is active already")
		return
	case !s.canStls():
		s.mistake("STLS is not offered")
		return
	case s.r.Buffered() > 0:
		// What came in the clear must not count as said under TLS: somebody
		// between the client and us may have put it there.
		s.log.Warn("pop3d.stls-injection", "remote", s.info.Remote.Addr())
		s.bye("", "There must be nothing after STLS before the handshake, closing connection")
		s.linger()
		return
	}
	s.ok("Begin TLS")
	if err := s.w.Flush(); err != nil {
		s.broken(err)
		return
	}
	s.handshake()
}
