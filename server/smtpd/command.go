package smtpd

import (
	"strings"

	"facteur/server/connection"
)

// Command is that of connection.Protocol.
func (s *session) Command(line []byte) {
	var room [len("STARTTLS") + 1]byte // a longer word is no command
	verb, args := connection.Cut(room[:0], line)
	if s.refused {
		s.onlyQuit(string(verb))
		return
	}
	switch string(verb) {
	// The replies to these may wait for those to the next ones (RFC 2920 3.2);
	// all others are sent at once.
	case "MAIL":
		s.cmdMail(args)
	case "RCPT":
		s.cmdRcpt(args)
	case "RSET":
		s.cmdRset()
	case "BDAT":
		s.cmdBdat(args)
	default:
		s.lastOfGroup(string(verb), args)
		if !s.Done {
			s.Flush()
		}
	}
}

// lastOfGroup carries out a command that ends a group of pipelined ones.
func (s *session) lastOfGroup(verb, args string) {
	switch verb {
	case "DATA":
		s.cmdData(args)
	case "EHLO", "HELO", "LHLO":
		s.cmdHello(verb, args)
	case "STARTTLS":
		s.cmdStartTLS(args)
	case "AUTH":
		s.cmdAuth(args)
	case "NOOP":
		if s.idle() {
			s.reply(250, "2.0.0", "OK")
		}
	case "VRFY":
		s.cmdVrfy(args)
	case "HELP":
		if s.idle() {
			s.reply(214, "2.0.0", "Commands are those of RFC 5321")
		}
	case "QUIT":
		s.reply(221, "2.0.0", s.o.Hostname+" Closing connection")
		s.Done = true
	case "EXPN", "ETRN", "TURN", "SEND", "SOML", "SAML":
		s.mistake(502, "5.5.1", "Not implemented") // RFC 5321 4.2.4
	default:
		s.Unknown(verb)
	}
}

// cmdVrfy never tells who exists (RFC 5321 3.5.3 and 7.3).
func (s *session) cmdVrfy(args string) {
	if args == "" {
		s.mistake(501, "5.5.4", "Syntax: VRFY address")
	} else if s.idle() {
		s.reply(252, "2.5.2", "Send mail to find out")
	}
}

// redact returns a received line for the trace. An unknown command may be
// anything, also a password that came too late or too early: it isn't shown.
func redact(line string) string {
	verb, args, _ := strings.Cut(line, " ")
	switch strings.ToUpper(verb) {
	case "EHLO", "HELO", "LHLO", "MAIL", "RCPT", "DATA", "BDAT", "RSET", "NOOP", "VRFY", "HELP", "QUIT", "STARTTLS":
		return line
	case "AUTH":
		return connection.RedactAuth(args)
	}
	return "(unknown command)"
}
