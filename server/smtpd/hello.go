package smtpd

import (
	"strconv"
	"strings"

	"facteur/server/address"
	"facteur/server/auth"
)

func (s *session) greet() {
	protocol := " ESMTP"
	if s.info.Listener == LMTP {
		protocol = " LMTP" // RFC 2033 4.1
	}
	s.reply(220, "", s.o.Hostname+protocol+" facteur")
}

// cmdHello is EHLO, HELO and LHLO.
func (s *session) cmdHello(verb, args string) {
	args = strings.TrimRight(args, " ")
	lmtp := s.info.Listener == LMTP
	switch {
	case lmtp && verb != "LHLO":
		s.mistake(500, "5.5.1", "This is LMTP: say LHLO") // RFC 2033 4.1
		return
	case !lmtp && verb == "LHLO":
		s.mistake(500, "5.5.1", "This is SMTP: say EHLO")
		return
	case !validHelo(args):
		s.mistake(501, "5.5.4", "Syntax: "+verb+" domain")
		return
	case s.info.Helo != "" && !s.idle():
		return
	}
	s.reset() // RFC 5321 4.1.4
	s.info.Helo = args
	s.info.ESMTP = verb != "HELO"
	if !s.info.ESMTP {
		s.reply(250, "", s.o.Hostname)
		return
	}
	lines := append(s.extensions(), "ENHANCEDSTATUSCODES")
	s.replyPart(250, '-', "", s.o.Hostname)
	for i, line := range lines {
		mark := byte('-')
		if i == len(lines)-1 {
			mark = ' '
		}
		s.replyPart(250, mark, "", line)
	}
}

// extensions returns what can be used now, but for ENHANCEDSTATUSCODES.
func (s *session) extensions() []string {
	out := []string{
		"PIPELINING",
		"SIZE " + strconv.FormatInt(s.o.MessageSize, 10),
		"8BITMIME",
		"SMTPUTF8",
		"DSN",
		"CHUNKING",
	}
	if s.canStartTLS() {
		out = append(out, "STARTTLS")
	}
	if s.takesLogins() && s.loginAllowed() && !s.loggedIn() {
		out = append(out, "AUTH PLAIN LOGIN")
	}
	return out
}

// validHelo accepts more than RFC 5321 4.1.1.1: a client may not know its
// name, and mail is not refused for that (RFC 5321 4.1.4). What is kept goes
// into Received, so it is one word without control characters.
func validHelo(s string) bool {
	if s == "" || len(s) > 255 {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool {
		return r <= ' ' || r == 0x7f || r == '\uFFFD' || strings.ContainsRune(`()<>"\,;`, r)
	}) < 0
}

func (s *session) canStartTLS() bool {
	return s.o.TLS != nil && !s.info.TLS() && s.info.Remote.IsValid()
}

// cmdStartTLS is RFC 3207.
func (s *session) cmdStartTLS(args string) {
	switch {
	case args != "":
		s.mistake(501, "5.5.4", "STARTTLS has no argument")
		return
	case s.info.TLS():
		s.mistake(503, "5.5.1", "TLS is active already")
		return
	case !s.canStartTLS():
		s.mistake(502, "5.5.1", "STARTTLS is not offered")
		return
	case s.r.Buffered() > 0:
		// What came in the clear must not count as said under TLS: somebody
		// between the client and us may have put it there.
		s.log.Warn("smtpd.starttls-injection", "remote", s.info.Remote.Addr())
		s.bye("4.7.0", "There must be nothing after STARTTLS before the handshake, closing connection")
		s.linger()
		return
	}
	s.reply(220, "2.0.0", "Ready to start TLS")
	if s.flush(); s.done || !s.handshake() {
		return
	}
	// RFC 3207 4.2: forget what was said before.
	s.reset()
	s.info.Helo, s.info.ESMTP = "", false
	s.info.AuthcID = ""
	s.info.Account = address.Address{}
	s.setCredential(auth.Credential{})
}
