package ical

import (
	"encoding/binary"
	"time"
)

// The years for which Location knows the changes of an offset; before and after them there
// are none.
const (
	firstLocationYear = 1970
	lastLocationYear  = 2069

	// maxLocationChanges bounds the changes: of those that come later there is none.
	maxLocationChanges = 10_000
)

// Location returns the zone of a VTIMEZONE for package time; nil: the calendar has none of
// that name, or one that changes in more ways than package time knows.
func (z *Zones) Location(id string) *time.Location {
	if !z.Has(id) {
		return nil
	}
	zone := z.byID[id]
	first, changes := zone.own.between(firstLocationYear, lastLocationYear)
	l, err := time.LoadLocationFromTZData(id, zoneFile(first, changes))
	if err != nil {
		return nil
	}
	return l
}

// between returns the offset when a year begins, and its changes until another one ends.
func (o *observances) between(from, to int) (first int64, all []change) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for year := from; year <= to && len(all) <= maxLocationChanges; year++ {
		y, ok := o.years[year]
		if !ok {
			y = o.find(year)
		}
		if year == from {
			first = y.first
		}
		all = append(all, y.changes...)
	}
	return first, all
}

// zoneFile makes the file of a zone (RFC 8536 3), empty when it has more than 255 offsets.
// The offset of before all changes is a type that no change has, as RFC 8536 3.2 wants it.
func zoneFile(first int64, changes []change) []byte {
	offsets := []int64{first}
	index := make(map[int64]byte)
	var times, kinds []byte
	for _, c := range changes {
		kind, ok := index[c.offset]
		if !ok {
			if len(offsets) > 255 {
				return nil
			}
			kind = byte(len(offsets))
			index[c.offset] = kind
			offsets = append(offsets, c.offset)
		}
		times = binary.BigEndian.AppendUint64(times, uint64(c.unix))
		kinds = append(kinds, kind)
	}
	const name = "LMT\x00"
	header := func(times, types, chars int) []byte {
		b := append([]byte("TZif2"), make([]byte, 15)...)
		for _, n := range []int{0, 0, 0, times, types, chars} {
			b = binary.BigEndian.AppendUint32(b, uint32(n))
		}
		return b
	}
	b := append(header(0, 0, 0), header(len(changes), len(offsets), len(name))...)
	b = append(append(b, times...), kinds...)
	for _, offset := range offsets {
		b = append(binary.BigEndian.AppendUint32(b, uint32(int32(offset))), 0, 0) // no daylight saving time; the name
	}
	return append(append(b, name...), "\n\n"...)
}
