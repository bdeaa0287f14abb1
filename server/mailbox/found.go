package mailbox

import (
	"cmp"
	"slices"

	"facteur/server/maildir"
)

// found is a file of a scan whose name has a UID of this folder.
type found struct {
	uid   UID
	flags maildir.Flags
	size  int64 // as served, or maildir.Unknown
	name  string
	inNew bool
}

// stray is a file that has no UID here yet.
type stray struct {
	name  string
	inNew bool
	fresh bool // its unique part may be that of another file
}

// twin is a file whose name says that it is the message of another name.
type twin struct {
	uid   UID
	keep  string // path of the file that counts
	other found
}

// readWhole scans a folder until no file can have been missed: once when
// nothing changed meanwhile, else three times, and what the last one did not
// show counts when it is there.
func (m *Mailbox) readWhole() (own []found, strays []stray, err error) {
	for range 3 {
		scan, err := maildir.ReadScan(m.at.Load().dir, m.now())
		if err != nil {
			return nil, nil, err
		}
		before := own
		own, strays = m.sortScan(scan)
		own = m.addMissed(own, before)
		if scan.Whole {
			break
		}
	}
	return own, strays, nil
}

// addMissed adds to the files of a scan those of the scan before that are still
// there.
func (m *Mailbox) addMissed(own, before []found) []found {
	if len(before) == 0 {
		return own
	}
	seen := make(map[string]bool, len(own))
	for _, f := range own {
		seen[f.name] = true
	}
	at := m.at.Load()
	for _, f := range before {
		if !seen[f.name] && fileExists(at.path(f.inNew, f.name)) {
			own = append(own, f)
		}
	}
	sortFound(own)
	return own
}

// sortFound sorts by UID, files in cur first.
func sortFound(own []found) {
	slices.SortFunc(own, func(a, b found) int {
		switch {
		case a.uid != b.uid:
			return cmp.Compare(a.uid, b.uid)
		case a.inNew != b.inNew:
			return cmp.Compare(sub(a.inNew), sub(b.inNew))
		}
		return cmp.Compare(a.name, b.name)
	})
}

// sortScan tells the files with a UID of this folder, by UID, from others.
func (m *Mailbox) sortScan(scan maildir.Scan) (own []found, strays []stray) {
	own = make([]found, 0, len(scan.New)+len(scan.Cur))
	for _, inNew := range []bool{false, true} {
		names := scan.Cur
		if inNew {
			names = scan.New
		}
		for _, name := range names {
			n := maildir.ParseName(name)
			if n.UID == 0 || n.Validity != m.validity {
				strays = append(strays, stray{name: name, inNew: inNew, fresh: n.UID != 0})
				continue
			}
			own = append(own, found{uid: UID(n.UID), flags: n.Flags, size: n.Served, name: name, inNew: inNew})
		}
	}
	sortFound(own)
	return own, strays
}

// groups yields the runs of files with the same UID.
func groups(own []found) func(yield func([]found) bool) {
	return func(yield func([]found) bool) {
		for len(own) > 0 {
			n := 1
			for n < len(own) && own[n].uid == own[0].uid {
				n++
			}
			if !yield(own[:n]) {
				return
			}
			own = own[n:]
		}
	}
}

// choose picks of files with the same UID the one that has it: with this unique
// part ("": any), best with this very name, else in cur, where files move to
// from new. ok is false when none fits.
func choose(group []found, unique, name string) (best found, rest []found) {
	pick := -1
	for i, f := range group {
		if unique != "" && maildir.UniqueOf(f.name) != unique {
			continue
		}
		if pick < 0 || !f.inNew && (group[pick].inNew || f.name == name) {
			pick = i
		}
	}
	for i, f := range group {
		if i != pick {
			rest = append(rest, f)
		}
	}
	if pick >= 0 {
		best = group[pick]
	}
	return best, rest
}

// sortRest sorts the files that lost to best: twins have its unique part too.
func (m *Mailbox) sortRest(best found, rest []found, strays []stray, twins []twin) ([]stray, []twin) {
	for _, f := range rest {
		if best.name != "" && maildir.UniqueOf(f.name) == maildir.UniqueOf(best.name) {
			twins = append(twins, twin{uid: best.uid, keep: m.at.Load().path(best.inNew, best.name), other: f})
		} else {
			strays = append(strays, stray{name: f.name, inNew: f.inNew, fresh: true})
		}
	}
	return strays, twins
}
