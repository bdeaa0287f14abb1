package message

import (
	"strings"
	"time"
	"unicode/utf8"

	"facteur/server/address"
	"facteur/server/envelope"
)

// DateFormat is the date-time of RFC 5322 3.3.
const DateFormat = "Mon, 02 Jan 2006 15:04:05 -0700"

// ReceivedInfo is what a Received field tells.
type ReceivedInfo struct {
	From envelope.Session
	By   string // our host name
	ID   string // of the message
	UTF8 bool   // it came with SMTPUTF8
	// For is the one recipient; zero when there are several, so that none learns
	// of another (RFC 5321 7.2).
	For  address.Address
	Date time.Time
}

// Received returns the trace field of a message that came over a connection (RFC
// 5321 4.4, RFC 3848), or that this server wrote, with its line end. What the client chose (its name in HELO,
// its name in the DNS) can't break out of its place.
func Received(r ReceivedInfo) []byte {
	var b strings.Builder
	b.WriteString("Received: ")
	ours := r.From.Listener == "" && !r.From.Remote.IsValid() // a notice of this server
	if !ours {
		b.WriteString("from " + traceName(r.From.Helo) + " (" + tcpInfo(r.From) + ")\r\n\t")
	}
	b.WriteString("by " + traceName(r.By))
	if !ours {
		b.WriteString(" with " + r.From.Protocol(r.UTF8))
	}
	b.WriteString(" id " + traceName(r.ID))
	if r.From.TLS() {
		b.WriteString("\r\n\t(" + traceName(r.From.TLSVersion) + " " + traceName(r.From.TLSCipher) + ")")
	}
	if !r.For.IsZero() && (r.UTF8 || !r.For.NeedsUTF8()) {
		b.WriteString("\r\n\tfor <" + r.For.String() + ">")
	}
	b.WriteString(";\r\n\t" + r.Date.Format(DateFormat) + "\r\n")
	return []byte(b.String())
}

// tcpInfo is TCP-info of RFC 5321 4.4.
func tcpInfo(s envelope.Session) string {
	if !s.Remote.IsValid() {
		return "local"
	}
	ip := s.Remote.Addr().Unmap().WithZone("")
	literal := "[" + ip.String() + "]"
	if ip.Is6() {
		literal = "[IPv6:" + ip.String() + "]" // RFC 5321 4.1.3
	}
	if s.RDNS == "" {
		return literal
	}
	return traceName(s.RDNS) + " " + literal
}

// traceName makes a name of a peer safe in a trace field: what can't be part of a
// domain or an address literal becomes "?".
func traceName(s string) string {
	const longest = 255 // RFC 5321 4.5.3.1.2
	if s == "" {
		return "unknown"
	}
	if len(s) > longest {
		s = s[:longest]
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r < utf8.RuneSelf && strings.ContainsRune(".-_:[]+*", r):
			return r
		}
		return '?'
	}, s)
}

// ReturnPath returns the trace field of final delivery (RFC 5321 4.4), with its
// line end. The zero address is the null reverse-path.
func ReturnPath(a address.Address) []byte {
	return []byte("Return-Path: <" + a.String() + ">\r\n")
}

// DeliveredTo returns the field that names where a message was delivered or
// forwarded to, against loops (RFC 9228), with its line end. Unless the header may hold
// UTF-8, an address with UTF-8 is written as an encoded word: only this server reads it.
func DeliveredTo(a address.Address, utf8 bool) []byte {
	value := a.String()
	if !utf8 {
		value = encodeWords(value)
	}
	return []byte("Delivered-To: " + value + "\r\n")
}
