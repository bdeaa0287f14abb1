package hook

import (
	"context"
	"time"

	"facteur/server/address"
)

// Services are what scripts reach beside the message. A dry run has others than
// the server. A nil one is not there: what asks for it fails in the script.
type Services struct {
	KV     KV
	DNS    DNS
	Metric func(script, name string, by float64)
	// Outside: modules may reach other programs and hosts. Not in a dry run.
	Outside bool
}

// KV is the memory of scripts.
type KV interface {
	// Begin begins a run's transaction in the memory of one script and one mailbox;
	// zero: that of the script at the stages without one.
	Begin(script string, box address.Address, now time.Time) State
}

// State is one transaction. What Set, Delete and Duplicate change is seen by the run
// itself, and by others after Commit; Incr and Rate count at once, whatever becomes
// of the run. Errors are those of a full memory or disk.
type State interface {
	Get(key string) (value string, ok bool, err error)
	Set(key, value string, ttl time.Duration) error // ttl 0: no end
	Delete(key string) error
	Incr(key string, by int64, ttl time.Duration) (int64, error)
	// Rate counts an event and tells how many there were within the period, this one
	// included.
	Rate(key string, period time.Duration) (int64, error)
	// Duplicate tells whether the key was noted by a run that was committed, and has not
	// ended since; and notes it.
	Duplicate(key string, ttl time.Duration) (bool, error)
	Commit(context.Context) error // durable on return
	Cancel()                      // after Commit: does nothing
}

// JointState is a State of a kind that several of commit in one transaction.
type JointState interface {
	State
	CommitWith(ctx context.Context, others []State) error // all of the same KV
}

// RetriedState is a State that can forget what Duplicate noted, and keep the rest.
type RetriedState interface {
	State
	Again()
}

// DNS looks names up. Kinds are a, aaaa, mx, txt and ptr (whose name is an IP
// address). No such name is an empty list; an error is temporary.
type DNS interface {
	Lookup(ctx context.Context, kind, name string) ([]string, error)
}
