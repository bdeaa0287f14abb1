package directory

import (
	"facteur/server/address"
)

// Posters says who may write to an alias.
type Posters struct {
	Rule PosterRule
	List []Target // PostersListed: they, and the members of the aliases among them
}

// PosterRule is a way to say who may write to an alias.
type PosterRule uint8

// The rules.
const (
	PostersAnyone  PosterRule = iota
	PostersMembers            // whoever it leads to
	PostersDomain             // every address of its domain
	PostersListed
)

// words completes the step of an alias.
func (p Posters) words() string {
	switch p.Rule {
	case PostersMembers:
		return "; only its members may write to it"
	case PostersDomain:
		return "; only addresses of its domain may write to it"
	case PostersListed:
		return "; only those that its posters name may write to it"
	}
	return ""
}

// posterSet is who may write to an alias.
type posterSet struct {
	domain address.Domain       // all of this domain; "" for those in keys
	keys   map[address.Key]bool // of mailboxes, of aliases, and of addresses elsewhere
}

func (d *Directory) addPosters() {
	for i := range d.options.Aliases {
		a := &d.options.Aliases[i]
		e := d.exact(a.Address)
		if a.Posters.Rule == PostersAnyone || e == nil || e.alias != a {
			continue
		}
		set := &posterSet{keys: make(map[address.Key]bool)}
		switch a.Posters.Rule {
		case PostersDomain:
			set.domain = e.address.Domain
		case PostersMembers:
			set.add(d, a.To)
		case PostersListed:
			set.add(d, a.Posters.List)
		}
		d.posters[e] = set
	}
}

// add adds targets, and the members of the aliases among them.
func (s *posterSet) add(d *Directory, to []Target) {
	for _, t := range to {
		a, ok := d.target(t)
		if !ok {
			continue
		}
		if p := d.locate(a); p.kind == found {
			a = p.entry.address
			if p.entry.alias != nil && !s.keys[a.Key()] {
				s.keys[a.Key()] = true
				s.add(d, p.entry.alias.To)
			}
		}
		s.keys[d.canonical(a).Key()] = true
	}
}

// ClosedList is an alias that not everybody may write to.
type ClosedList struct {
	Address address.Address
	Rule    PosterRule

	directory *Directory
	set       *posterSet
}

// Closed returns the alias that has an address, under any name of its domain and with a
// subaddress too, when not everybody may write to it. Only the address that a message is
// for counts: an alias that leads to a closed one opens it to those who may write to the
// former.
func (d *Directory) Closed(a address.Address) (ClosedList, bool) {
	p := d.locate(a)
	if p.kind != found || d.posters[p.entry] == nil {
		return ClosedList{}, false
	}
	return ClosedList{p.entry.address, p.entry.alias.Posters.Rule, d, d.posters[p.entry]}, true
}

// Admits tells whether an author may write to the list: an address of one who may, in all
// its forms. The zero address is nobody.
func (l ClosedList) Admits(author address.Address) bool {
	d := l.directory
	if author.IsZero() {
		return false
	}
	if l.set.domain != "" {
		return d.canonical(author).Domain == l.set.domain
	}
	p := d.locate(author)
	if p.kind != found {
		return l.set.keys[d.canonical(author).Key()]
	}
	if l.set.keys[p.entry.address.Key()] {
		return true
	}
	box := d.soleBox(p.entry)
	return box != nil && l.set.keys[box.address.Key()]
}
