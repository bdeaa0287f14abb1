package spool

import (
	"errors"
	"io/fs"
	"time"

	"facteur/server/fault"
	"facteur/server/hook"
)

const (
	maxVirus = 100 // octets of its name
	maxRules = 64  // of the spam score that are kept
	maxWhy   = 100 // octets of the text of one
)

// spamRecord is a rule that scored.
type spamRecord struct {
	Rule   string  `json:"rule"`
	Points float64 `json:"points"`
	Why    string  `json:"why,omitempty"`
}

// newSpam makes the form in which a score is kept. Rules over maxRules are one.
func newSpam(s hook.Spam) []spamRecord {
	var out []spamRecord
	for i, r := range s.Rules {
		if i >= maxRules {
			out[maxRules-1].Points += r.Points
			out[maxRules-1].Why = "and further rules"
			continue
		}
		out = append(out, spamRecord{clip(r.Name, maxWhy), r.Points, clip(r.Why, maxWhy)})
	}
	return out
}

func (r *record) spam() hook.Spam {
	var s hook.Spam
	for _, rule := range r.Spam {
		s.Score += rule.Points
		s.Rules = append(s.Rules, hook.Rule{Name: rule.Rule, Points: rule.Points, Why: rule.Why})
	}
	return s
}

// Quarantined returns the entries in quarantine, oldest first.
func (s *Spool) Quarantined() []Summary {
	var out []Summary
	for _, it := range s.sorted() {
		s.mu.Lock()
		held := it.held
		s.mu.Unlock()
		if !held {
			continue
		}
		if r, err := s.current(it); err == nil && r.Quarantine {
			out = append(out, s.summary(it.id, r))
		}
	}
	return out
}

// NoteTold notes that the recipients of an entry were told that it is in quarantine. It is
// fault.NotFound when there is no such entry.
func (s *Spool) NoteTold(id string) error {
	return s.change(id, func(r *record) { r.Told = true })
}

// ExpireQuarantine removes what has been in quarantine since before a time. Nobody is told:
// who might be its sender is not known. It returns the ids of what was removed.
func (s *Spool) ExpireQuarantine(before time.Time) ([]string, error) {
	var gone []string
	var errs []error
	for _, e := range s.Quarantined() {
		if !e.Received.Before(before) {
			continue
		}
		// It may be released meanwhile.
		_, err := s.drop(e.ID, Match{}, func(r *record) bool { return r.Quarantine })
		switch {
		case err == nil:
			gone = append(gone, e.ID)
		case fault.Is(err, fault.NotFound), errors.Is(err, fs.ErrNotExist): // somebody was quicker
		default:
			errs = append(errs, err)
		}
	}
	return gone, errors.Join(errs...)
}
