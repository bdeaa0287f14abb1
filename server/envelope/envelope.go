// Package envelope holds what travels with a message but is not in it: the
// reverse-path, the forward-paths with their DSN options, and the facts of the
// session that it came by (RFC 5321 2.3.1, RFC 3461). Values are not changed
// once they are handed on.
package envelope

import (
	"crypto/rand"
	"encoding/base32"
	"io"
	"net/netip"
	"strings"
	"time"

	"facteur/server/address"
)

// Session is what is known of a client connection.
type Session struct {
	ID       string         // of the connection, in every log line
	Listener string         // "smtp", "submission", "submissions" or "lmtp"
	Remote   netip.AddrPort // invalid on a Unix socket
	Local    netip.AddrPort
	RDNS     string // verified name of Remote, "" when there is none
	Helo     string // argument of EHLO, HELO or LHLO
	ESMTP    bool   // the client said EHLO or LHLO

	TLSVersion string // "TLS1.3", "" without TLS
	TLSCipher  string

	Mechanism string          // of the login, or of the one that is tried: "PLAIN", "LOGIN", "USER", "BASIC"
	AuthcID   string          // the name given at login, "" without one
	Account   address.Address // whose login it is
}

// TLS tells whether the connection is encrypted.
func (s Session) TLS() bool { return s.TLSVersion != "" }

// Protocol returns the "with" keyword of Received (RFC 3848, RFC 6531 3.7.3).
func (s Session) Protocol(utf8 bool) string {
	p := "SMTP"
	switch {
	case s.Listener == "lmtp" && utf8:
		p = "UTF8LMTP"
	case s.Listener == "lmtp":
		p = "LMTP"
	case utf8:
		p = "UTF8SMTP"
	case s.ESMTP:
		p = "ESMTP"
	default:
		return p
	}
	if s.TLS() {
		p += "S"
	}
	if !s.Account.IsZero() {
		p += "A"
	}
	return p
}

// Notify is the NOTIFY parameter of RCPT (RFC 3461 4.1) as a set.
type Notify uint8

// The values of NOTIFY. The zero Notify means that it was not given: failure
// and delay are told.
const (
	NotifyNever Notify = 1 << iota
	NotifySuccess
	NotifyFailure
	NotifyDelay
)

// Sender is the reverse-path with the parameters of MAIL FROM.
type Sender struct {
	ReversePath address.Address // zero: the null reverse-path <>
	Size        int64           // as declared (RFC 1870), 0 when not
	Body        string          // "7BIT", "8BITMIME", "BINARYMIME" or "" (RFC 6152)
	SMTPUTF8    bool            // RFC 6531
	Ret         string          // "FULL", "HDRS" or "" (RFC 3461 4.3)
	EnvID       string          // RFC 3461 4.4, decoded
	Auth        string          // AUTH= parameter (RFC 4954 5), decoded; kept, never trusted
	RequireTLS  bool            // only over verified TLS, or not at all (RFC 8689)
	HoldUntil   time.Time       // not to be delivered before (RFC 4865), zero when not given
}

// Recipient is a forward-path with the parameters of RCPT TO.
type Recipient struct {
	ForwardPath address.Address
	Notify      Notify
	ORcpt       string // "rfc822;alice@example.org", "" when not given (RFC 3461 4.2)
}

// Envelope is everything about a message that is not in it.
type Envelope struct {
	ID         string // of the message: in Received, the log and the trace
	Session    Session
	Sender     Sender
	Recipients []Recipient
	Received   time.Time
}

// Body is the bytes of a message, header and body, with CRLF line ends. It may
// be read by several at once, until its owner releases it.
type Body interface {
	io.ReaderAt
	Size() int64
}

// Bytes is a Body in memory.
type Bytes []byte

// ReadAt is that of io.ReaderAt.
func (b Bytes) ReadAt(p []byte, off int64) (int, error) {
	if off >= int64(len(b)) {
		return 0, io.EOF
	}
	n := copy(p, b[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Size is the length of b in octets.
func (b Bytes) Size() int64 { return int64(len(b)) }

// NewReader reads a whole Body from its start.
func NewReader(b Body) *io.SectionReader { return io.NewSectionReader(b, 0, b.Size()) }

// NewID returns a new id of a connection or a message: 16 characters that are
// unique, safe in file names and not to be guessed.
func NewID() string {
	var b [10]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return strings.ToLower(base32.StdEncoding.EncodeToString(b[:]))
}
