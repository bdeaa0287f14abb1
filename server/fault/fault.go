// Package fault is the error that a peer may see: a kind that decides whether
// to try again, a reply text that is safe to send, and a cause that only the
// log gets. Front ends render a Fault as SMTP, IMAP or HTTP.
//
// The class of an enhanced code (RFC 3463 2) is derived from the reply code, so
// the two can't disagree.
package fault

import (
	"errors"
	"fmt"
	"strings"
)

// Kind says what went wrong, in the terms of this server.
type Kind uint8

// The kinds. Each has a default SMTP reply in table.
const (
	Internal         Kind = iota // something here failed; the log knows what
	Unavailable                  // a resource is missing for a while: disk full, too busy
	NoSuchAddress                // no such recipient
	NotLocal                     // relaying denied
	OverQuota                    // the recipient's quota is used up
	TooLarge                     // the message is over the size limit
	TooMany                      // too many recipients, connections, commands
	Policy                       // refused by a rule
	TryLater                     // refused for now by a rule
	BadSender                    // a login may not send as this address
	Malformed                    // the message or command breaks the protocol
	Loop                         // a mail loop
	AuthFailed                   // wrong name or password
	AuthRequired                 // log in first
	EncryptionNeeded             // STARTTLS first
	NotFound                     // what was asked for is not there
	Exists                       // what was to be made is there already
	NotPossible                  // the request can't be done for the thing it names
	Unsupported                  // the peer or next hop lacks an extension that the message needs
	Undeliverable                // the remote side said no, or never said yes
)

var table = [...]struct {
	code   int
	status string // subject.detail of RFC 3463 3
	text   string
}{
	Internal:         {451, "3.0", "Internal error, try again later"},
	Unavailable:      {452, "3.1", "Insufficient system resources, try again later"},
	NoSuchAddress:    {550, "1.1", "No such recipient here"},
	NotLocal:         {550, "7.1", "Relaying denied"},
	OverQuota:        {452, "2.2", "The mailbox is full"},
	TooLarge:         {552, "3.4", "The message is too large"},
	TooMany:          {452, "5.3", "Too many"},
	Policy:           {550, "7.1", "Refused by policy"},
	TryLater:         {450, "7.1", "Refused for now, try again later"},
	BadSender:        {550, "7.1", "Not allowed to send as this address"},
	Malformed:        {550, "6.0", "Malformed message"},
	Loop:             {554, "4.6", "Mail loop detected"},
	AuthFailed:       {535, "7.8", "Wrong name or password"},
	AuthRequired:     {530, "7.0", "Authentication required"},
	EncryptionNeeded: {530, "7.0", "Must issue a STARTTLS command first"},
	NotFound:         {550, "2.0", "Not found"},
	Exists:           {550, "2.0", "Already exists"},
	NotPossible:      {550, "2.0", "Not possible"},
	Unsupported:      {554, "6.3", "The next server does not support what this message needs"},
	Undeliverable:    {554, "4.0", "Could not be delivered"},
}

// Fault is an error with a reply for the peer.
type Fault struct {
	Kind   Kind
	Code   int    // SMTP reply code: 4xx or 5xx
	Status string // subject.detail of the enhanced code, without the class
	Text   string // for the peer, one line, no secrets
	Cause  error  // for the log, may be nil
}

// New returns a Fault of a kind. An empty text stands for the kind's own.
func New(k Kind, text string) *Fault { return Wrap(k, text, nil) }

// Newf is New with a format.
func Newf(k Kind, format string, args ...any) *Fault { return New(k, fmt.Sprintf(format, args...)) }

// Wrap returns a Fault of a kind with the cause that the log gets.
func Wrap(k Kind, text string, cause error) *Fault {
	t := table[k]
	if text == "" {
		text = t.text
	}
	return &Fault{Kind: k, Code: t.code, Status: t.status, Text: clean(text), Cause: cause}
}

// Reply returns a Fault with a reply chosen elsewhere, by a script or a remote
// server. A code outside 400-599, or an enhanced code that is not one, is
// replaced by the default of its class.
func Reply(k Kind, code int, enhanced, text string) *Fault {
	f := New(k, text)
	if code >= 400 && code <= 599 {
		f.Code = code
	}
	if _, status, ok := strings.Cut(enhanced, "."); ok && validStatus(status) {
		f.Status = status
	}
	return f
}

func validStatus(s string) bool {
	subject, detail, ok := strings.Cut(s, ".")
	digits := func(s string) bool {
		return s != "" && len(s) <= 3 && strings.Trim(s, "0123456789") == ""
	}
	return ok && digits(subject) && digits(detail)
}

// maxText leaves room for the codes in a reply line (RFC 5321 4.5.3.1.5).
const maxText = 400

// clean makes text fit for one reply line.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "")
	}
	return s
}

// As returns the Fault in err; any other error is Internal, with err as cause.
func As(err error) *Fault {
	var f *Fault
	if errors.As(err, &f) {
		return f
	}
	return Wrap(Internal, "", err)
}

// Is tells whether err holds a Fault of kind k.
func Is(err error, k Kind) bool {
	var f *Fault
	return errors.As(err, &f) && f.Kind == k
}

// Temporary tells whether err may pass when tried again. What is not a Fault is.
func Temporary(err error) bool { return As(err).Code < 500 }

// Enhanced returns the enhanced status code (RFC 3463).
func (f *Fault) Enhanced() string {
	class := "5."
	if f.Code < 500 {
		class = "4."
	}
	return class + f.Status
}

// Error is for the log: it holds the cause.
func (f *Fault) Error() string {
	s := fmt.Sprintf("%d %s %s", f.Code, f.Enhanced(), f.Text)
	if f.Cause != nil {
		s += ": " + f.Cause.Error()
	}
	return s
}

// Unwrap returns the cause.
func (f *Fault) Unwrap() error { return f.Cause }

// AsTemporary returns the same reply in the 4xx class.
func (f *Fault) AsTemporary() *Fault {
	if f.Code < 500 {
		return f
	}
	t := *f
	t.Code = 451
	return &t
}
