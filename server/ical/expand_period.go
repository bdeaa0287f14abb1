package ical

import (
	"slices"
	"sort"
)

// times chooses what BYSETPOS does of the times of the days that were found.
func (x *expansion) times() {
	if x.wholeDays() {
		return
	}
	size := len(x.days) * len(x.clock)
	for _, p := range x.BySetPos {
		if p < 0 {
			p += size + 1
		}
		if p >= 1 && p <= size {
			x.found = append(x.found, x.ofDays(p-1))
		}
	}
	slices.Sort(x.found)
	x.found = slices.Compact(x.found)
}

// wholeDays: the times of a period are those of clock on each of its days. A year may have 31
// million of them.
func (x *expansion) wholeDays() bool { return x.Frequency >= Daily && len(x.BySetPos) == 0 }

// ofDays is one of the times of the days.
func (x *expansion) ofDays(i int) int64 {
	return int64(x.days[i/len(x.clock)])*daySeconds + x.clock[i%len(x.clock)]
}

// size is how many times the period has, and at one of them.
func (x *expansion) size() int {
	if x.wholeDays() {
		return len(x.days) * len(x.clock)
	}
	return len(x.found)
}

func (x *expansion) at(i int) int64 {
	if x.wholeDays() {
		return x.ofDays(i)
	}
	return x.found[i]
}

// index is that of the first time of the period that is wall or later.
func (x *expansion) index(wall int64) int {
	return sort.Search(x.size(), func(i int) bool { return x.at(i) >= wall })
}
