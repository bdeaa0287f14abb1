package smtpd

import (
	"strconv"
	"strings"
)

// Greet is that of connection.Protocol (RFC 5321 3.1).
func (s *session) Greet() {
	if !s.welcome() {
		return
	}
	protocol := " ESMTP"
	if s.Info.Listener == LMTP {
		protocol = " LMTP" // RFC 2033 4.1
	}
	s.reply(220, "", s.o.Hostname+protocol+" facteur")
}

// cmdHello is EHLO, HELO and LHLO.
func (s *session) cmdHello(verb, args string) {
	args = strings.TrimRight(args, " ")
	lmtp := s.Info.Listener == LMTP
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
	case s.Info.Helo != "" && !s.idle():
		return
	}
	s.reset() // RFC 5321 4.1.4
	s.Info.Helo = args
	s.Info.ESMTP = verb != "HELO"
	if !s.Info.ESMTP {
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
	if s.CanStartTLS() {
		out = append(out, "STARTTLS")
	}
	if s.takesLogins() && s.LoginAllowed() && !s.LoggedIn() {
		out = append(out, "AUTH PLAIN LOGIN")
	}
	return append(out, s.offered().extensions()...)
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

// cmdStartTLS is RFC 3207.
func (s *session) cmdStartTLS(args string) {
	if args != "" {
		s.mistake(501, "5.5.4", "STARTTLS has no argument")
		return
	}
	if !s.StartTLS(func() { s.reply(220, "2.0.0", "Ready to start TLS") }) {
		return
	}
	// RFC 3207 4.2: forget what was said before.
	s.reset()
	s.Info.Helo, s.Info.ESMTP = "", false
	s.LogOut()
}
