package spool

import (
	"fmt"
	"slices"
	"strings"

	"facteur/server/address"
)

// Match is a set of addresses: one, those of a domain, or the null reverse-path. The
// zero Match has all.
type Match struct {
	key    address.Key
	domain address.Domain
	null   bool
}

// ParseMatch reads "alice@example.org", "example.org", "<>" or, for all, "".
func ParseMatch(s string) (Match, error) {
	switch {
	case s == "":
		return Match{}, nil
	case s == "<>":
		return Match{null: true}, nil
	case strings.Contains(s, "@") && !strings.HasPrefix(s, "@"):
		a, err := address.Parse(strings.Trim(s, "<>"))
		return Match{key: a.Key()}, err
	}
	d, err := address.ParseDomain(strings.TrimPrefix(s, "@"))
	if err != nil {
		err = fmt.Errorf("%q is neither an address nor a domain: %w", s, err)
	}
	return Match{domain: d}, err
}

func (m Match) match(a address.Address) bool {
	switch {
	case m == Match{}:
		return true
	case m.null:
		return a.IsZero()
	case m.domain != "":
		return !a.IsZero() && a.Domain == m.domain
	}
	return a.Key() == m.key
}

func (m Match) address(t text) bool { return m.match(address.Address(t)) }

// Filter chooses entries.
type Filter struct {
	From Match // the reverse-path
	To   Match // a recipient that is not done
	// Account is whose login brought the message; zero: anybody's, or nobody's.
	Account address.Address
}

// match tells whether an entry is chosen.
func (f Filter) match(r *record) bool {
	if !f.Account.IsZero() && address.Address(r.Session.Account).Key() != f.Account.Key() {
		return false
	}
	return f.From.address(r.Sender.ReversePath) && (f.To == Match{} || slices.ContainsFunc(r.Recipients, func(to rcptRecord) bool {
		return !to.Done && f.To.address(to.Address)
	}))
}
