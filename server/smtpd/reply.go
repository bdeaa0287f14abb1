package smtpd

import (
	"strconv"
	"unicode/utf8"

	"facteur/server/fault"
)

// maxReply is the most octets of a reply line, CRLF included (RFC 5321 4.5.3.1.5).
const maxReply = 512

// reply queues one reply line. enhanced may be empty (RFC 2034 4: not for the
// greeting, EHLO and 3xx).
func (s *session) reply(code int, enhanced, text string) { s.replyPart(code, ' ', enhanced, text) }

// replyPart queues a line of a reply: mark is '-' when another one follows.
func (s *session) replyPart(code int, mark byte, enhanced, text string) {
	b := strconv.AppendInt(s.line[:0], int64(code), 10)
	b = append(b, mark)
	if enhanced != "" {
		b = append(b, enhanced...)
		b = append(b, ' ')
	}
	b = append(b, text...)
	if s.tx == nil || !s.tx.sender.SMTPUTF8 {
		// RFC 6531 3.7.4: UTF-8 only where the client asked for it.
		for i, c := range b {
			if c >= utf8.RuneSelf {
				b[i] = '?'
			}
		}
	}
	if len(b) > maxReply-2 {
		b = b[:maxReply-2]
	}
	s.line = b
	s.W.Line(b)
}

// refuse queues the reply of a fault. The cause is for the log alone.
func (s *session) refuse(verb string, f *fault.Fault) {
	s.reply(f.Code, f.Enhanced(), f.Text)
	s.LogRefusal(verb, f)
}
