package imapd

import (
	"iter"
	"strconv"
)

// messageLimit is the value of MESSAGELIMIT (RFC 9738 3).
func messageLimit(s *session) string { return "=" + strconv.Itoa(s.options().MessageLimit) }

// limited returns the newest of places, as many as one command works on, and
// notes when that is not all (RFC 9738 3.1).
func (s *session) limited(c *call, places spans) spans {
	n, most := places.len(), s.options().MessageLimit
	if n <= most {
		return places
	}
	places = places.part(n-most, n)
	c.lowest = s.sel.seen.At(places[0].from).UID
	return places
}

// limitCode is the response code MESSAGELIMIT (RFC 9738 3.1).
func (s *session) limitCode(c *call) string {
	return "MESSAGELIMIT " + strconv.Itoa(s.options().MessageLimit) + " " + strconv.FormatUint(uint64(c.lowest), 10)
}

// tellLimited says that a command worked on the newest messages only: in its
// tagged OK, unless that has a code already (RFC 9738 3.1).
func (s *session) tellLimited(c *call) {
	const text = "There were more messages than one command works on"
	switch {
	case c.lowest == 0:
	case c.code == "":
		s.done(c, s.limitCode(c), text)
	default:
		s.enc.Raw("* NO ")
		s.reason(s.limitCode(c), text)
	}
}

// order yields places: the last first when there were too many (RFC 9738 3.1).
func (s spans) order(c *call) iter.Seq[int] {
	if c.lowest == 0 {
		return s.all()
	}
	return func(yield func(int) bool) {
		for k := len(s) - 1; k >= 0; k-- {
			for i := s[k].to - 1; i >= s[k].from; i-- {
				if !yield(i) {
					return
				}
			}
		}
	}
}
