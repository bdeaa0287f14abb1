package imapwire

import (
	"slices"
	"strconv"
)

// Range is numbers from Start to Stop, both included. 0 stands for "*".
type Range struct{ Start, Stop uint32 }

// NumSet is a sequence-set (RFC 9051 9), in the order of the client. One that is
// empty but not nil is "$", the saved result (RFC 5182).
type NumSet []Range

// Saved tells whether the set is "$".
func (s NumSet) Saved() bool { return s != nil && len(s) == 0 }

// NumSet reads a sequence-set.
func (d *Decoder) NumSet() NumSet {
	if d.Try('$') {
		return NumSet{}
	}
	var room [8]Range
	set := room[:0]
	for d.err == nil {
		r := Range{Start: d.setNumber()}
		r.Stop = r.Start
		if d.Try(':') {
			r.Stop = d.setNumber()
		}
		set = append(set, r)
		if !d.Try(',') {
			break
		}
	}
	if d.err != nil {
		return nil
	}
	return slices.Clone(NumSet(set))
}

func (d *Decoder) setNumber() uint32 {
	if d.Try('*') {
		return 0
	}
	return d.NzNumber()
}

// Resolve returns the numbers of s in ascending ranges that neither touch nor
// overlap, with last for "*". Without a last (0) "*" stands for nothing, and a
// range to it for its other end (RFC 9051 9, seq-range: "*:4" is "4:*").
func (s NumSet) Resolve(last uint32) NumSet {
	out := make(NumSet, 0, len(s))
	sorted := true
	for _, r := range s {
		if r.Start == 0 {
			r.Start = last
		}
		if r.Stop == 0 {
			r.Stop = last
		}
		if r.Start > r.Stop {
			r.Start, r.Stop = r.Stop, r.Start
		}
		if r.Start == 0 {
			if r.Stop == 0 {
				continue
			}
			r.Start = r.Stop
		}
		if n := len(out); n > 0 && r.Start < out[n-1].Start {
			sorted = false
		}
		out = append(out, r)
	}
	if !sorted {
		slices.SortFunc(out, func(a, b Range) int {
			if a.Start < b.Start {
				return -1
			}
			if a.Start > b.Start {
				return 1
			}
			return 0
		})
	}
	return out.merge()
}

// merge joins the ranges of a sorted set.
func (s NumSet) merge() NumSet {
	n := 0
	for _, r := range s {
		if n > 0 && (r.Start <= s[n-1].Stop || r.Start-1 == s[n-1].Stop) {
			s[n-1].Stop = max(s[n-1].Stop, r.Stop)
			continue
		}
		s[n] = r
		n++
	}
	return s[:n]
}

// Add appends n, which is above all that are in s.
func (s NumSet) Add(n uint32) NumSet {
	if k := len(s); k > 0 && s[k-1].Stop+1 == n {
		s[k-1].Stop = n
		return s
	}
	return append(s, Range{n, n})
}

// Contains tells whether a resolved set has n.
func (s NumSet) Contains(n uint32) bool {
	_, ok := slices.BinarySearchFunc(s, n, func(r Range, n uint32) int {
		switch {
		case r.Stop < n:
			return -1
		case r.Start > n:
			return 1
		}
		return 0
	})
	return ok
}

// Len is how many numbers a resolved set has.
func (s NumSet) Len() uint64 {
	n := uint64(0)
	for _, r := range s {
		n += uint64(r.Stop-r.Start) + 1
	}
	return n
}

// Append appends the set as it stands on the wire.
func (s NumSet) Append(dst []byte) []byte {
	if s.Saved() {
		return append(dst, '$')
	}
	for i, r := range s {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendSetNumber(dst, r.Start)
		if r.Stop != r.Start {
			dst = appendSetNumber(append(dst, ':'), r.Stop)
		}
	}
	return dst
}

func appendSetNumber(dst []byte, n uint32) []byte {
	if n == 0 {
		return append(dst, '*')
	}
	return strconv.AppendUint(dst, uint64(n), 10)
}

// String returns the set as it stands on the wire.
func (s NumSet) String() string { return string(s.Append(nil)) }
