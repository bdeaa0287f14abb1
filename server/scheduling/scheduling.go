// Package scheduling is implicit scheduling (RFC 6638): what is put into a calendar or taken
// out of it invites, answers and cancels.
package scheduling

import (
	"context"
	"log/slog"
	"time"

	"facteur/server/address"
	"facteur/server/collection"
	"facteur/server/directory"
	"facteur/server/fault"
	"facteur/server/homes"
)

// Options are what a Scheduler needs, for its whole life.
type Options struct {
	Homes *homes.Homes
	// Directory returns the newest one.
	Directory func() *directory.Directory
	Log       *slog.Logger
	Now       func() time.Time // nil: time.Now
}

// Scheduler schedules. It may be used by several at once.
type Scheduler struct{ opts Options }

// New returns a Scheduler.
func New(opts Options) *Scheduler {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &Scheduler{opts: opts}
}

// Request is a change of a calendar object by a client.
type Request struct {
	Account    address.Address // who is logged in
	Collection *homes.Collection
	Href       string // the last segment, not percent-encoded
	Condition  collection.Condition
	IfTag      string // If-Schedule-Tag-Match (RFC 6638 8.3), with its quotes; "": none
	NoReply    bool   // Schedule-Reply: F (RFC 6638 8.1)
}

// Result is what became of a Put.
type Result struct {
	Entry   *collection.Entry
	Created bool
	Tag     string // the Schedule-Tag (RFC 6638 8.2), with its quotes; "": it has none
	Changed bool   // what is kept differs from what was sent, so its ETag is not told (RFC 4791 5.3.4)
}

// Precondition is a condition of RFC 6638 3.2.4 or RFC 4791 5.3.2.1 that does not hold.
type Precondition struct {
	Name string // as davxml.Name writes it: "{urn:ietf:params:xml:ns:caldav}same-organizer-in-all-components"
	Href string // path of what is in the way; "": none
	Text string // for a person
}

func (p *Precondition) Error() string { return p.Text }

// Put keeps an object, and tells those whom it concerns.
func (s *Scheduler) Put(ctx context.Context, r Request, data []byte) (Result, error) {
	e, created, err := r.Collection.Put(r.Href, data, r.Condition)
	if err != nil {
		return Result{}, err
	}
	return Result{Entry: e, Created: created}, nil
}

// Remove takes an object away, and tells those whom it concerns.
func (s *Scheduler) Remove(ctx context.Context, r Request) error {
	return r.Collection.Remove(r.Href, r.Condition)
}

// Response is what is known of one recipient's time (RFC 6638 5.2, response).
type Response struct {
	Recipient string // as it was asked for: a URI
	Status    string // of the request (RFC 5546 3.6): "2.0;Success"
	Data      []byte // an iTIP message with METHOD:REPLY; nil: none
}

// FreeBusy answers what is posted to the outbox of a home (RFC 6638 5): when somebody is
// busy.
func (s *Scheduler) FreeBusy(ctx context.Context, account, home address.Address, request []byte) ([]Response, error) {
	return nil, fault.New(fault.Unsupported, "free-busy is not known here")
}
