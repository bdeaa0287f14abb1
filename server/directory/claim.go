package directory

import (
	"facteur/server/address"
	"facteur/server/fault"
)

// Claim is what somebody says of an address of ours that is nobody's.
type Claim struct {
	To   []address.Address // where it leads; none: still nobody's
	By   string            // who says so, for people
	Note string            // what else there is to say, for people; ""
	// Fault is set when it can't be found out for now.
	Fault *fault.Fault
}

// Claimer is asked about an address under the primary name of its domain, before the
// catch-all of that. It returns the zero Claim for what it knows nothing of.
type Claimer func(address.Address) Claim

// maxClaims bounds how often one resolution asks: what a claim leads to may be nobody's
// too.
const maxClaims = 8

// ResolveWith is Resolve with a Claimer, which comes before the catch-all; nil: none. Where
// a claim leads is resolved as what an alias leads to.
func (d *Directory) ResolveWith(forwardPath address.Address, claim Claimer) Resolution {
	return d.resolve(forwardPath, claim)
}

// Scripts returns the scripts of a domain, under any of its names.
func (d *Directory) Scripts(domain address.Domain) []string {
	if dom := d.domains[domain]; dom != nil {
		return dom.Scripts
	}
	return nil
}

// claimed asks the Claimer about a place that is nobody's own; it tells whether that had an
// answer.
func (w *walk) claimed(p place, r route) bool {
	if w.claim == nil || p.domain == nil {
		return false
	}
	if w.claims++; w.claims > maxClaims {
		w.step("%s is not asked about: this goes round and round", p.at)
		return false
	}
	c := w.claim(p.at)
	if c.Note != "" {
		w.step("%s: %s", p.at, c.Note)
	}
	switch {
	case c.Fault != nil:
		w.res.Fault = c.Fault
		return true
	case len(c.To) == 0:
		return false
	}
	targets := make([]Target, len(c.To))
	for i, a := range c.To {
		targets[i].Address = a
	}
	w.step("%s leads to %s, says %s", p.at, w.dir.list(targets), c.By)
	if len(targets) > 1 && r.list.IsZero() {
		r.list = p.at
	}
	w.all(targets, p.at, r)
	return true
}
