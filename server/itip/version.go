package itip

import (
	"cmp"
	"slices"
	"time"

	"facteur/server/ical"
)

// Version says which of two messages about an object is the newer one (RFC 5546 2.1.5).
type Version struct {
	Sequence int
	Stamp    time.Time // DTSTAMP; zero: none that can be read
}

// Compare returns a negative number when v is older than w. Where one has no DTSTAMP, SEQUENCE
// alone decides.
func (v Version) Compare(w Version) int {
	if v.Sequence != w.Sequence || v.Stamp.IsZero() || w.Stamp.IsZero() {
		return cmp.Compare(v.Sequence, w.Sequence)
	}
	return v.Stamp.Compare(w.Stamp)
}

// Version returns that of the newest component of a message. A DTSTAMP that is too far ahead of
// now, for a clock that is wrong, counts as now.
func (m *Message) Version(now time.Time) (newest Version) {
	first := true
	for _, c := range m.Calendar.Children {
		if c.Name != m.Kind {
			continue
		}
		n, _ := sequence(c)
		v := Version{Sequence: n, Stamp: stamp(c)}
		if v.Stamp.After(now.Add(maxAhead)) {
			v.Stamp = now
		}
		if first || v.Compare(newest) > 0 {
			newest, first = v, false
		}
	}
	return newest
}

// Whole says whether a message is about all instances, and maybe about single ones too.
func (m *Message) Whole() bool {
	return slices.ContainsFunc(m.Calendar.Children, func(c *ical.Component) bool {
		_, single := c.Prop("RECURRENCE-ID")
		return c.Name == m.Kind && !single
	})
}
