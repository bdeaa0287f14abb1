package ical

import (
	"cmp"
	"slices"
	"time"
)

// MergeBusy sorts periods and joins those of a type that touch each other. Where types
// overlap, the stronger one holds.
func MergeBusy(list []BusyPeriod) (merged []BusyPeriod) {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b BusyPeriod) int { return cmp.Or(cmp.Compare(b.Type, a.Type), a.Start.Compare(b.Start)) })
	for len(list) > 0 {
		n := slices.IndexFunc(list, func(b BusyPeriod) bool { return b.Type != list[0].Type })
		if n < 0 {
			n = len(list)
		}
		merged = ordered(merged, minus(joined(list[:n]), merged))
		list = list[n:]
	}
	return merged
}

// joined joins periods of one type that are in order, in their place.
func joined(list []BusyPeriod) []BusyPeriod {
	out := list[:1]
	for _, b := range list[1:] {
		last := &out[len(out)-1]
		switch {
		case b.Start.After(last.End):
			out = append(out, b)
		case b.End.After(last.End):
			last.End = b.End
		}
	}
	return out
}

// minus returns what others leave of periods; each list is in order, and nothing in it overlaps.
func minus(list, others []BusyPeriod) []BusyPeriod {
	if len(others) == 0 {
		return list
	}
	out := make([]BusyPeriod, 0, len(list))
	for _, b := range list {
		for len(others) > 0 && !others[0].End.After(b.Start) {
			others = others[1:]
		}
		for _, o := range others {
			if !o.Start.Before(b.End) {
				break
			}
			if o.Start.After(b.Start) {
				out = append(out, BusyPeriod{b.Start, o.Start, b.Type})
			}
			b.Start = o.End
		}
		if b.Start.Before(b.End) {
			out = append(out, b)
		}
	}
	return out
}

// ordered makes one list of two that are in order.
func ordered(a, b []BusyPeriod) []BusyPeriod {
	if len(a) == 0 {
		return b
	}
	out := make([]BusyPeriod, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if a[0].Start.Before(b[0].Start) {
			out, a = append(out, a[0]), a[1:]
		} else {
			out, b = append(out, b[0]), b[1:]
		}
	}
	return append(append(out, a...), b...)
}

// CoarsenBusy makes at most so many periods of those that MergeBusy returned: it joins, over the shortest
// times between them, neighbours to one of the stronger type. So all that was taken still is.
func CoarsenBusy(list []BusyPeriod, most int) []BusyPeriod {
	less := len(list) - max(most, 1)
	if less <= 0 {
		return list
	}
	gaps := make([]time.Duration, 0, len(list)-1)
	for i := range list[1:] {
		gaps = append(gaps, list[i+1].Start.Sub(list[i].End))
	}
	slices.Sort(gaps)
	longest := gaps[less-1] // of those to be closed
	shorter, _ := slices.BinarySearch(gaps, longest)
	same := less - shorter // so many of that length
	out := append(make([]BusyPeriod, 0, len(list)-less), list[0])
	for _, b := range list[1:] {
		last := &out[len(out)-1]
		gap := b.Start.Sub(last.End)
		if gap == longest {
			same--
		}
		if gap > longest || gap == longest && same < 0 {
			out = append(out, b)
			continue
		}
		last.End, last.Type = b.End, max(last.Type, b.Type)
	}
	return out
}
