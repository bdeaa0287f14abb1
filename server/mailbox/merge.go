package mailbox

import (
	"bytes"
	"time"

	"facteur/server/maildir"
	"facteur/server/msgindex"
)

// merger compares a scan with the index. With mu held.
type merger struct {
	*change
	touched map[UID]bool // messages that we changed during the scan: it knows less
	settled bool
	strays  []stray
	twins   []twin
	gone    []int
	missing int
}

func (g *merger) run(own []found) {
	i, n := 0, g.snap.Len()
	for group := range groups(own) {
		for ; i < n && g.snap.At(i).UID < group[0].uid; i++ {
			g.absent(i)
		}
		if i < n && g.snap.At(i).UID == group[0].uid {
			g.present(i, group)
			i++
		} else if !g.touched[group[0].uid] {
			// A UID that is not in use any more, or never was: it can't come
			// back, since UIDs only ascend.
			g.strays, _ = g.m.sortRest(found{}, group, g.strays, nil)
		}
	}
	for ; i < n; i++ {
		g.absent(i)
	}
	g.remove(g.gone...)
	s := &g.m.scan
	switch {
	case g.missing == 0:
		s.wait = 0
	case s.missing == 0:
		s.wait = time.Second
	default:
		s.wait = min(2*s.wait, slowScan)
	}
	s.missing = g.missing
}

// present is called for a message of which files were found.
func (g *merger) present(i int, group []found) {
	r := g.snap.At(i)
	if g.touched[r.UID] {
		return
	}
	suspect := g.m.suspect[r.UID]
	if len(group) == 1 && !suspect && r.Entry != 0 && !r.Has(msgindex.Missing) && group[0].is(r) {
		return
	}
	name, known := g.fileName(r)
	unique := ""
	if known {
		unique = maildir.UniqueOf(name)
	}
	best, rest := choose(group, unique, name)
	g.strays, g.twins = g.m.sortRest(best, rest, g.strays, g.twins)
	if best.name == "" {
		g.absent(i)
		return
	}
	delete(g.m.suspect, r.UID)
	changed := *r
	changed.SetMarks(r.Marks() &^ msgindex.Missing)
	if !known || best.name != name || best.inNew != r.Has(msgindex.InNew) {
		g.take(&changed, best, known)
	}
	if best.flags != r.Flags {
		g.set(i, changed)
	} else if changed != *r {
		g.keep(i, changed)
	}
}

// is tells whether a file looks like that of a message, by all but the order of
// the letters in its name.
func (f *found) is(r *Record) bool {
	return f.flags == r.Flags && f.inNew == r.Has(msgindex.InNew) && nameHash(f.name) == r.Unique
}

// take makes a record name a file, with the summary that is cached of it when
// anything is.
func (c *change) take(r *Record, f found, cached bool) {
	var name, summary []byte
	if cached {
		name, summary, _ = c.entries.Entry(r)
	}
	marks := r.Marks() &^ (msgindex.InNew | msgindex.Exact)
	r.Flags, r.Unique = f.flags, nameHash(f.name)
	if f.inNew {
		marks |= msgindex.InNew
	}
	if f.inNew || len(name) == 0 || maildir.WithFlags(string(name), f.flags) != f.name {
		marks |= msgindex.Exact
		r.Entry = c.m.putEntry(c.m.index, r.UID, f.name, bytes.Clone(summary))
	}
	r.SetMarks(marks)
}

// absent is called for a message of which no file was found. It is gone when
// this scan is settled and the one before it did not show it either.
func (g *merger) absent(i int) {
	r := g.snap.At(i)
	if g.touched[r.UID] {
		return
	}
	if !r.Has(msgindex.Missing) {
		changed := *r
		changed.SetMarks(r.Marks() | msgindex.Missing)
		g.keep(i, changed)
	} else if g.settled {
		g.gone = append(g.gone, i)
		return
	}
	g.missing++
}
