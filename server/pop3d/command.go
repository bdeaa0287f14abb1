package pop3d

import (
	"strings"

	"facteur/server/connection"
)

// Command is that of connection.Protocol.
func (s *session) Command(line []byte) {
	var room [len("OPTIONS") + 1]byte // a longer word is no command
	word, args := connection.Cut(room[:0], line)
	verb := string(word)
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
	default:
		s.Unknown(verb)
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
		return connection.RedactAuth(args)
	}
	return "(unknown command)"
}
