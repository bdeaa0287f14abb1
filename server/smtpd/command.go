package smtpd

import (
	"bytes"
	"errors"
	"strings"

	"facteur/server/wire"
)

const (
	// maxLine is the longest command, CRLF included: the 512 octets of RFC
	// 5321 4.5.3.1.4 and what the extensions add (SIZE 26, BODY 17, AUTH 500,
	// SMTPUTF8 10, RET 8, ENVID 107; NOTIFY 28, ORCPT 507).
	maxLine = 2048
	// maxAuthLine is the longest line of an AUTH dialog (RFC 4954 4).
	maxAuthLine = 12288
)

// step reads a command and carries it out.
func (s *session) step() {
	line, err := s.readLine(maxAuthLine, false)
	s.o = s.srv.options.Load()
	if err == nil && len(line)+2 > maxLine && !hasVerb(line, "AUTH") {
		err = wire.ErrLineTooLong
	}
	switch {
	case err == nil:
		if !s.ended() {
			s.command(line)
		}
	case errors.Is(err, wire.ErrLineTooLong):
		s.mistake(500, "5.5.2", "The line is too long") // RFC 5321 4.5.3.1.9
	case errors.Is(err, wire.ErrBareLF), errors.Is(err, wire.ErrBareCR):
		s.mistake(500, "5.5.2", "A command ends in CRLF") // RFC 5321 2.3.8
	case errors.Is(err, wire.ErrNUL):
		s.mistake(500, "5.5.2", "NUL octets are not allowed")
	default:
		s.broken(err)
	}
}

// hasVerb tells whether line is the command verb.
func hasVerb(line []byte, verb string) bool {
	word, _, _ := bytes.Cut(line, []byte(" "))
	return strings.EqualFold(string(word), verb)
}

// command carries out one command.
func (s *session) command(line []byte) {
	word, rest, _ := bytes.Cut(line, []byte(" "))
	var room [len("STARTTLS") + 1]byte // a longer word is no command
	verb, args := upper(room[:0], word), string(rest)
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
		if !s.done {
			s.flush()
		}
	}
}

// upper appends a command word to buf in upper case, as far as there is room.
// Only ASCII letters are changed.
func upper(buf, word []byte) []byte {
	for _, c := range word[:min(len(word), cap(buf))] {
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		buf = append(buf, c)
	}
	return buf
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
		s.done = true
	case "EXPN", "ETRN", "TURN", "SEND", "SOML", "SAML":
		s.mistake(502, "5.5.1", "Not implemented") // RFC 5321 4.2.4
	case "GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT", "DELETE", "PATCH", "TRACE", "PRI":
		s.notHTTP()
	default:
		s.mistake(500, "5.5.1", "Unknown command")
	}
}

func (s *session) flush() {
	if err := s.w.Flush(); err != nil {
		s.broken(err)
	}
}

// notHTTP turns a web client away before what follows is taken for commands.
func (s *session) notHTTP() {
	s.bye("4.5.0", "This is a mail server, not a web server, closing connection")
	s.linger()
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
		mechanism, _, more := strings.Cut(args, " ")
		switch strings.ToUpper(mechanism) {
		case "PLAIN", "LOGIN":
			if more {
				return "AUTH " + mechanism + " (secret)"
			}
			return "AUTH " + mechanism
		}
		return "AUTH (secret)"
	}
	return "(unknown command)"
}
