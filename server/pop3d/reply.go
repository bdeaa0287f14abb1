package pop3d

import (
	"strconv"
	"unicode/utf8"

	"facteur/server/fault"
)

// maxReply is the most octets of the first line of a reply, CRLF included
// (RFC 2449 4).
const maxReply = 512

// The response codes that stand in brackets after -ERR.
const (
	inUse      = "IN-USE"   // RFC 2449 8.1.2
	sysTemp    = "SYS/TEMP" // RFC 3206 4
	authFailed = "AUTH"     // RFC 3206 5
)

// ok queues a positive reply, or the first line of one.
func (s *session) ok(text string) { s.reply("+OK ", text) }

// err queues a negative reply; code may be empty.
func (s *session) err(code, text string) {
	if code != "" {
		text = "[" + code + "] " + text
	}
	s.reply("-ERR ", text)
}

// reply queues one line, in ASCII.
func (s *session) reply(start, text string) {
	b := append(append(s.line[:0], start...), text...)
	for i, c := range b {
		if c >= utf8.RuneSelf {
			b[i] = '?'
		}
	}
	s.line = b[:min(len(b), maxReply-2)]
	s.W.Line(s.line)
}

// text queues a line of a multi-line reply. None of those made here begins with
// a dot but the last.
func (s *session) text(line string) {
	s.line = append(s.line[:0], line...)
	s.W.Line(s.line)
}

// endText queues the last line of a multi-line reply (RFC 1939 3).
func (s *session) endText() { s.text(".") }

// numbers queues a line with a message number and one more.
func (s *session) numbers(start string, a, b int64) {
	s.line = append(s.line[:0], start...)
	s.line = strconv.AppendInt(s.line, a, 10)
	s.line = append(s.line, ' ')
	s.line = strconv.AppendInt(s.line, b, 10)
	s.W.Line(s.line)
}

// responseCode is the one that goes with a fault, if any.
func responseCode(f *fault.Fault) string {
	switch {
	case f.Kind == fault.Malformed: // the client's doing
		return ""
	case f.Kind == fault.AuthFailed:
		return authFailed
	case f.Code < 500:
		return sysTemp
	}
	return ""
}

// refuse replies to what failed here. The cause is for the log alone.
func (s *session) refuse(verb string, err error) {
	f := fault.As(err)
	s.Reply(f)
	s.LogRefusal(verb, f)
}
