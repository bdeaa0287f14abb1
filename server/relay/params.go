package relay

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"facteur/server/envelope"
)

// mailCommand is MAIL with the parameters that the server knows.
func (t *transaction) mailCommand(c *client, recipients []int) string {
	s := t.msg.Sender
	var b strings.Builder
	b.WriteString("MAIL FROM:<" + s.ReversePath.String() + ">")
	if c.offers("SIZE") {
		b.WriteString(" SIZE=" + strconv.FormatInt(t.body(c).Size(), 10))
	}
	if c.offers("8BITMIME") && s.Body != "7BIT" {
		b.WriteString(" BODY=8BITMIME")
	}
	utf8Needed := t.utf8Header || s.ReversePath.NeedsUTF8() || slices.ContainsFunc(recipients, func(i int) bool {
		return t.msg.Recipients[i].ForwardPath.NeedsUTF8()
	})
	if utf8Needed { // offered, see impossible
		b.WriteString(" SMTPUTF8")
	}
	if s.RequireTLS { // offered, see greet
		b.WriteString(" REQUIRETLS") // RFC 8689 3
	}
	if c.offers("DSN") {
		if s.Ret == "FULL" || s.Ret == "HDRS" {
			b.WriteString(" RET=" + s.Ret)
		}
		if s.EnvID != "" && len(s.EnvID) <= 100 { // RFC 3461 4.4
			b.WriteString(" ENVID=" + xtext(s.EnvID))
		}
	}
	return b.String()
}

// rcptCommand is RCPT with the parameters that the server knows.
func (t *transaction) rcptCommand(c *client, r envelope.Recipient) string {
	s := "RCPT TO:<" + r.ForwardPath.String() + ">"
	if !c.offers("DSN") {
		return s
	}
	if n := notify(r.Notify); n != "" {
		s += " NOTIFY=" + n
	}
	if kind, addr, ok := strings.Cut(r.ORcpt, ";"); ok && isAtom(kind) && len(addr) <= 500 && !nonASCII(addr) {
		s += " ORCPT=" + kind + ";" + xtext(addr)
	}
	return s
}

// notify is the value of NOTIFY (RFC 3461 4.1).
func notify(n envelope.Notify) string {
	if n&envelope.NotifyNever != 0 {
		return "NEVER"
	}
	var list []string
	for _, v := range []struct {
		bit  envelope.Notify
		name string
	}{{envelope.NotifySuccess, "SUCCESS"}, {envelope.NotifyFailure, "FAILURE"}, {envelope.NotifyDelay, "DELAY"}} {
		if n&v.bit != 0 {
			list = append(list, v.name)
		}
	}
	return strings.Join(list, ",")
}

// xtext encodes a parameter (RFC 3461 4).
func xtext(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c < '!' || c > '~' || c == '+' || c == '=' {
			b.Write([]byte{'+', hex[c>>4], hex[c&15]})
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func isAtom(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-')
	})
}

func nonASCII(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf })
}
