package limit

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"time"

	"facteur/server/address"
)

// Closed is an account that may not send until it is opened again.
type Closed struct {
	Account address.Address
	Since   time.Time
	Reason  string // completes "closed, because ..."
}

const (
	offences   = 3              // over the top limit in a day: the account is closed
	oneOffence = time.Hour      // refusals so near to each other are one offence
	remembered = 16             // refused messages of an account
	offenceFor = 24 * time.Hour // how long an offence counts
)

// offend notes that an account went over its top limit. It returns true when
// that was once too often. Refusals until the time that was told with the first,
// at most an hour, are one offence; a message that was refused before is none at
// all, for mail programs try again by themselves. s.mu is held.
func (s *Sending) offend(a *subject, sub Submission, until, now time.Time) bool {
	again := slices.Contains(a.Refused, sub.Digest)
	if sub.Digest != 0 && !again {
		a.Refused = append(a.Refused, sub.Digest)
		a.Refused = a.Refused[max(0, len(a.Refused)-remembered):]
	}
	at := now.Unix()
	for i := range a.Over {
		a.Over[i] = min(a.Over[i], at) // the clock was set back
	}
	a.Quiet = min(a.Quiet, now.Add(oneOffence).Unix())
	if again || at < a.Quiet {
		return false
	}
	a.Quiet = min(until.Unix(), now.Add(oneOffence).Unix())
	a.Over = slices.DeleteFunc(a.Over, func(t int64) bool { return t <= now.Add(-offenceFor).Unix() })
	a.Over = append(a.Over, at)
	return len(a.Over) >= offences
}

// closeFor closes an account in memory. s.mu is held.
func (s *Sending) closeFor(a address.Address, reason string, now time.Time) Verdict {
	s.closed[a.Key()] = Closed{Account: a, Since: now, Reason: reason}
	return Verdict{Action: Refuse, Closed: true, Tell: true, Reason: reason}
}

// CloseAccount closes an account for sending. It returns false when it was already.
func (s *Sending) CloseAccount(ctx context.Context, a address.Address, reason string, now time.Time) bool {
	s.mu.Lock()
	_, already := s.closed[a.Key()]
	if !already {
		s.closeFor(a, reason, now)
	}
	s.mu.Unlock()
	if !already {
		s.keepClosed(ctx, a)
	}
	return !already
}

// Reopen opens an account for sending, and forgets its offences and counts. It
// returns false when it was not closed.
func (s *Sending) Reopen(ctx context.Context, a address.Address) (bool, error) {
	s.mu.Lock()
	_, closed := s.closed[a.Key()]
	s.mu.Unlock()
	if !closed {
		return false, nil
	}
	if s.state != nil {
		if err := s.state.Write(ctx, func(tx *sql.Tx) error {
			_, err := tx.Exec("DELETE FROM limit_closed WHERE account = ?", string(a.Key()))
			return err
		}); err != nil {
			return false, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.closed, a.Key())
	delete(s.accounts, accountKey(a))
	delete(s.visits, a.Key())
	s.touch(accountKey(a))
	s.log.Info("limit.reopened", "account", a.String())
	return true, nil
}

// IsClosed tells whether an account may not send, and why.
func (s *Sending) IsClosed(a address.Address) (Closed, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.closed[a.Key()]
	return c, ok
}

// AllClosed lists the closed accounts by their addresses.
func (s *Sending) AllClosed() []Closed {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Closed, 0, len(s.closed))
	for _, c := range s.closed {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b Closed) int { return cmp.Compare(a.Account.Key(), b.Account.Key()) })
	return list
}

// keepClosed makes durable that an account is closed. When that fails it is
// closed until the server ends.
func (s *Sending) keepClosed(ctx context.Context, a address.Address) {
	c, ok := s.IsClosed(a)
	if !ok {
		return
	}
	s.log.Warn("limit.closed", "account", a.String(), "why", c.Reason)
	if s.state == nil {
		return
	}
	if err := s.state.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.Exec("INSERT INTO limit_closed VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", string(a.Key()), a.String(), c.Since.Unix(), c.Reason)
		return err
	}); err != nil {
		s.log.Error("limit.closed", "account", a.String(), "error", err)
	}
}
