package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"facteur/server/address"
	"facteur/server/autoreply"
	"facteur/server/deliver"
	"facteur/server/directory"
	"facteur/server/fault"
	"facteur/server/redirect"
	"facteur/server/spool"
	"facteur/server/srs"
)

// openForwarding opens what sending mail on needs. The state is open by then, and the
// spool is not: it tells what became of what was sent on.
func (s *Server) openForwarding(data string) (err error) {
	if s.redirects, err = redirect.Open(context.Background(), s.state, nil); err != nil {
		return fmt.Errorf("opening the memory of redirections: %w", err)
	}
	if s.replies, err = autoreply.Open(s.state, nil); err != nil {
		return fmt.Errorf("opening the memory of replies: %w", err)
	}
	s.srs = srs.New(srs.Options{Dir: keysDir(data), Store: redirect.Senders{Memory: s.redirects}})
	return nil
}

// deliverOptions are the parts that delivery works with.
func (s *Server) deliverOptions() deliver.Options {
	return deliver.Options{
		Store: s.store, Spool: s.spool, Log: s.log, Redirects: s.redirects, People: s.people, SRS: s.srs, Keys: s.keys, Tell: s.tellLater,
		Replies: s.replies, Delivered: s.follow.Delivered, Trace: s.trace,
		Contacts: s.dav.homes.Contact, Busy: s.scheduling.Busy,
	}
}

// withSenders returns a directory that knows the senders behind rewritten reverse-paths.
func (s *Server) withSenders(o directory.Options) *directory.Directory {
	o.Unwrap = func(a address.Address) (address.Address, error) {
		sender, err := unwrap(s.srs, a)
		if err != nil {
			s.log.Warn("srs.refused", "address", a.String(), "error", err)
		} else {
			s.log.Info("srs.back", "address", a.String(), "sender", sender.String())
		}
		return sender, err
	}
	return directory.New(o)
}

// unwrapTimeout bounds how long a long sender is looked for.
const unwrapTimeout = 10 * time.Second

// unwrap returns the sender that a rewritten reverse-path stands for, or the answer to
// who writes to it.
func unwrap(r *srs.Rewriter, a address.Address) (address.Address, error) {
	ctx, cancel := context.WithTimeout(context.Background(), unwrapTimeout)
	defer cancel()
	sender, err := r.Reverse(ctx, a)
	switch {
	case errors.Is(err, srs.ErrForged):
		return sender, fault.New(fault.NoSuchAddress, "No message was forwarded from here under this address")
	case errors.Is(err, srs.ErrExpired):
		return sender, fault.New(fault.NoSuchAddress, "This address of a forwarded message has expired")
	}
	return sender, err
}

// offline is the srs.Store of the verbs: only the running server has the long senders.
type offline struct{}

func (offline) Keep(context.Context, string, address.Address, time.Time) error {
	return errors.ErrUnsupported
}

func (offline) Find(context.Context, string) (address.Address, bool, error) {
	return address.Address{}, false, fault.New(fault.Unavailable, "The sender is too long to stand in it; it is in state.db")
}

// told takes note of what became of mail that was sent on (spool.Options.Told).
func (s *Server) told(e spool.Event) {
	s.traceFate(e)
	o := redirect.Outcome{Entry: e.ID, Forwarder: e.Forwarder, Target: e.Recipient.ForwardPath, Fault: e.Result.Fault, Final: e.Kind != spool.Deferred && e.Kind != spool.Delayed}
	if e.Local || e.Forwarder.IsZero() || e.Forwarder.IsSRS() {
		return
	}
	p, paused := s.redirects.Told(o)
	if !paused {
		return
	}
	live := s.live.Load()
	to := live.Directory.Postmaster
	if account, ok := live.directory.Account(p.Forwarder); ok {
		to = account.Address
	}
	s.log.Warn("redirect.paused", "forwarder", p.Forwarder.String(), "to", p.Target.String(), "since", p.Since, "reply", p.Reply)
	p.Since = p.Since.In(live.Location)
	s.tellLater(deliver.Paused(p, to))
}
