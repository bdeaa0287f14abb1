package spool

import (
	"time"

	"facteur/server/address"
	"facteur/server/envelope"
	"facteur/server/fault"
)

// Kind is what an Event tells.
type Kind string

// The kinds.
const (
	Sent     Kind = "sent"     // delivered, or taken by another server
	Deferred Kind = "deferred" // to be tried again
	Delayed  Kind = "delayed"  // the same, and its sender is told that it takes long
	Bounced  Kind = "bounced"  // refused for good
	Expired  Kind = "expired"  // given up after the last attempt that was due
	Removed  Kind = "removed"  // dropped by the operator: nothing more is tried
)

// errRemoved is the fault of what is dropped.
var errRemoved = fault.Reply(fault.Policy, 550, "5.7.0", "Dropped by the operator")

// Event is what came of an attempt at one recipient, or of the end of all attempts.
type Event struct {
	ID        string // of the entry
	Kind      Kind
	Sender    address.Address // the reverse-path, zero: the null one
	Recipient envelope.Recipient
	Forwarder address.Address // as that of Recipient
	Local     bool
	Result    Result
	Attempts  int
	Next      time.Time         // of the next one; zero: none
	Envelope  envelope.Envelope // of the message, without recipients
	// Message is there when Options.Wanted said so, and the disk did not fail since. It is
	// closed when Told returns, unless Told keeps it.
	Message *Message
}
