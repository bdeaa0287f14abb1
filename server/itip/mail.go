package itip

import (
	"errors"
	"time"

	"facteur/server/address"
	"facteur/server/envelope"
	"facteur/server/hook"
)

// Mail is a message as mail (RFC 6047).
type Mail struct {
	Message  *Message
	From, To address.Address
	Name     string         // of who From is
	ID       string         // of the mail
	About    string         // Message-ID of what it answers, with its brackets; "": unknown
	Comment  string         // for people, before the rest
	Language string         // of the text: "fr", else English
	Zone     *time.Location // in which times are told; nil: that of the object
	Now      time.Time
	// Automatic: no person asked for it, as when a room answers (RFC 3834 5). The
	// reverse-path is null then.
	Automatic bool
}

// Write makes the mail: text for people, the calendar for programs, and the same as a file
// for those that only know files.
func (m Mail) Write() (envelope.Envelope, envelope.Bytes, error) {
	return envelope.Envelope{}, nil, errors.ErrUnsupported
}

// Find returns the message in a mail. The errors wrap ErrNone or ErrMessage, or say what is
// wrong with the calendar.
func Find(c hook.Content) (*Message, error) { return nil, ErrNone }

// Invitation returns what scripts are told of a message about an event. false: it is about
// nothing that has a time. Times without a zone are those of l.
func (m *Message) Invitation(l *time.Location) (hook.Invitation, bool) {
	return hook.Invitation{}, false
}
