package fts

import (
	"cmp"
	"slices"
)

// list is the messages of one key in one segment.
type list struct {
	n    int
	uids uidReader
}

// uidReader gives the UIDs of a list, ascending: read fills buf as far as there
// are any.
type uidReader interface {
	read(buf []uint32) (int, error)
}

// verifyCost is what a candidate costs to whoever reads and scans its message,
// in the time that one UID of a list takes to read.
const verifyCost = 20_000

// intersect returns the UIDs that all lists hold, of a segment with so many
// messages, or some more where reading a list costs more than it would spare.
func intersect(lists []list, messages int) ([]uint32, error) {
	slices.SortFunc(lists, func(a, b list) int { return cmp.Compare(a.n, b.n) })
	uids, err := readAll(lists[0])
	for _, l := range lists[1:] {
		if err != nil || len(uids) == 0 {
			break
		}
		// As if the trigrams came independently of each other.
		spared := float64(len(uids)) * (1 - float64(l.n)/float64(messages))
		if float64(l.n) > spared*verifyCost {
			continue
		}
		uids, err = retain(uids, l)
	}
	return uids, err
}

// readAll reads a list. Memory grows as it is read: n may be wrong.
func readAll(l list) ([]uint32, error) {
	var uids []uint32
	for l.n > len(uids) {
		at := len(uids)
		uids = slices.Grow(uids, min(l.n-at, 1<<16))
		got, err := l.uids.read(uids[at:min(cap(uids), l.n)])
		if err != nil {
			return nil, err
		}
		uids = uids[:at+got]
	}
	return uids, nil
}

// retain keeps those of uids that the list holds too.
func retain(uids []uint32, l list) ([]uint32, error) {
	var buf [256]uint32
	kept := uids[:0]
	rest := uids
	for len(rest) > 0 {
		n, err := l.uids.read(buf[:])
		if err != nil {
			return nil, err
		}
		if n == 0 {
			break
		}
		for _, have := range buf[:n] {
			for len(rest) > 0 && rest[0] < have {
				rest = rest[1:]
			}
			if len(rest) == 0 {
				break
			}
			if rest[0] == have {
				kept = append(kept, have)
			}
		}
	}
	return kept, nil
}

// union merges two ascending lists.
func union(a, b []uint32) []uint32 {
	if len(b) == 0 {
		return a
	}
	all := append(slices.Clone(a), b...)
	slices.Sort(all)
	return slices.Compact(all)
}

// without removes from uids, in place, those that are in gone; both ascend.
func without(uids, gone []uint32) []uint32 {
	kept := uids[:0]
	for _, uid := range uids {
		step := 1
		for step < len(gone) && gone[step] < uid {
			step *= 2
		}
		at, found := slices.BinarySearch(gone[:min(step+1, len(gone))], uid)
		gone = gone[at:]
		if !found {
			kept = append(kept, uid)
		}
	}
	return kept
}
