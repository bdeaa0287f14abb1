package pop3d

import (
	"bytes"
	"errors"
	"strings"

	"facteur/server/wire"
)

const (
	// maxLine is the longest command, CRLF included. RFC 2449 4 has 255 octets;
	// a password may be longer (password.MaxLength).
	maxLine = 2048
	// maxAuthLine is the longest line of an AUTH dialog: those must be taken
	// whatever the limit of commands is (RFC 5034 4).
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
		s.mistake("The line is too long")
	case errors.Is(err, wire.ErrBareLF), errors.Is(err, wire.ErrBareCR):
		s.mistake("A command ends in CRLF") // RFC 1939 3
	case errors.Is(err, wire.ErrNUL):
		s.mistake("NUL octets are not allowed")
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
	var room [maxVerb + 1]byte // a longer word is no command
	verb, args := string(upper(room[:0], word)), string(rest)
	trimmed := strings.TrimRight(args, " ") // some clients send one too many; a password may end in one
	user := s.user
	s.user = "" // RFC 1939 7: PASS comes right after USER
	switch verb {
	case "QUIT":
		s.cmdQuit(trimmed)
	case "CAPA":
		s.cmdCapa(trimmed)
	case "USER", "PASS", "AUTH", "STLS":
		s.authorization(verb, args, user)
	case "STAT", "LIST", "RETR", "DELE", "NOOP", "RSET", "TOP", "UIDL":
		s.transaction(verb, trimmed)
	case "APOP":
		s.mistake("APOP is not supported: use AUTH, or USER and PASS")
	case "GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT", "DELETE", "PATCH", "TRACE", "PRI":
		// A web client is turned away before what follows is taken for commands.
		s.bye("", "This is a mail server, not a web server, closing connection")
		s.linger()
	default:
		s.mistake("Unknown command")
	}
}

// authorization carries out a command of the AUTHORIZATION state (RFC 1939 4).
func (s *session) authorization(verb, args, user string) {
	switch {
	case s.drop != nil:
		s.mistake("Logged in already")
	case verb == "USER":
		s.cmdUser(args)
	case verb == "PASS":
		s.cmdPass(user, args)
	case verb == "AUTH":
		s.cmdAuth(args)
	case verb == "STLS":
		s.cmdStls(strings.TrimRight(args, " "))
	}
}

// transaction carries out a command of the TRANSACTION state (RFC 1939 5).
func (s *session) transaction(verb, args string) {
	if s.drop == nil {
		s.mistake("Log in first")
		return
	}
	switch verb {
	case "STAT":
		s.cmdStat(args)
	case "LIST":
		s.cmdList(args)
	case "UIDL":
		s.cmdUidl(args)
	case "RETR":
		s.cmdRetr(args)
	case "TOP":
		s.cmdTop(args)
	case "DELE":
		s.cmdDele(args)
	case "RSET":
		s.cmdRset(args)
	case "NOOP":
		if s.none(args) {
			s.ok("Still here")
		}
	}
}

// maxVerb is the length of the longest command.
const maxVerb = len("CONNECT")

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

// none tells whether a command without arguments has none, and refuses it when
// it has.
func (s *session) none(args string) bool {
	if args != "" {
		s.mistake("This command has no argument")
	}
	return args == ""
}

// redact returns a received line for the trace. A name may be a password that
// was typed into the wrong field, and an unknown command anything: neither is
// shown.
func redact(line string) string {
	verb, args, _ := strings.Cut(line, " ")
	switch verb = strings.ToUpper(verb); verb {
	case "STAT", "LIST", "RETR", "DELE", "NOOP", "RSET", "TOP", "UIDL", "QUIT", "CAPA", "STLS":
		return line
	case "USER":
		return "USER (name)"
	case "PASS":
		return "PASS (secret)"
	case "AUTH":
		mechanism, _, more := strings.Cut(args, " ")
		switch mechanism = strings.ToUpper(mechanism); {
		case mechanism != "PLAIN" && mechanism != "LOGIN":
			return "AUTH (secret)"
		case more:
			return "AUTH " + mechanism + " (secret)"
		}
		return "AUTH " + mechanism
	}
	return "(unknown command)"
}
