package msgindex

import (
	"cmp"
	"slices"
)

// vanished is UIDs that were expunged with a ModSeq. A range holds no UID of a
// message that was there afterwards.
type vanished struct {
	modSeq      ModSeq
	first, last UID
}

// The bound of the log of vanished UIDs: when it has grown to maxVanished
// ranges, the newest keepVanished stay.
const (
	maxVanished  = 8192
	keepVanished = 4096
)

// unknownFloor is the floor of an index that knows nothing of the past.
const unknownFloor = ^ModSeq(0)

// Vanished returns the UIDs that were expunged after since, ascending and
// merged (RFC 7162 3.2.5). It is not complete when the log does not reach back
// that far: then any UID that is not there may have vanished.
func (s *Snapshot) Vanished(since ModSeq) (uids []UIDRange, complete bool) {
	complete = since >= s.floor
	i, _ := slices.BinarySearchFunc(s.vanished, since, func(v vanished, since ModSeq) int {
		if v.modSeq > since {
			return 1
		}
		return -1
	})
	for _, v := range s.vanished[i:] {
		uids = append(uids, UIDRange{v.first, v.last})
	}
	slices.SortFunc(uids, func(a, b UIDRange) int { return cmp.Compare(a.First, b.First) })
	return mergeRanges(uids), complete
}

// mergeRanges joins ranges, ascending by First, that touch or overlap.
func mergeRanges(uids []UIDRange) []UIDRange {
	merged := uids[:0]
	for _, r := range uids {
		if n := len(merged); n > 0 && uint64(r.First) <= uint64(merged[n-1].Last)+1 {
			merged[n-1].Last = max(merged[n-1].Last, r.Last)
		} else {
			merged = append(merged, r)
		}
	}
	return merged
}
