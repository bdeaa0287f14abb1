package spool

import (
	"facteur/server/address"
	"facteur/server/envelope"
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
)

// Event is what came of an attempt at one recipient.
type Event struct {
	ID        string // of the entry
	Kind      Kind
	Sender    address.Address // the reverse-path, zero: the null one
	Recipient envelope.Recipient
	Forwarder address.Address // as that of Recipient
	Local     bool
	Result    Result
}
