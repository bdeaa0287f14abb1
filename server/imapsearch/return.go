package imapsearch

import (
	"strconv"

	"facteur/server/imapwire"
)

// Return is what a command wants to know of the messages that it finds
// (RFC 4731 3.1, RFC 5182, RFC 9394 3.1).
type Return struct {
	Given                bool // there was RETURN
	Min, Max, All, Count bool
	Save                 bool
	Partial              *Partial
}

// Partial is a range of results (RFC 9394 4): the first is 1. From counts up to
// To; with Last both count from the last result back. From and To are as the
// client gave them: 500:400 is the same as 400:500.
type Partial struct {
	From, To uint32
	Last     bool
}

// Places returns the half-open range of n results that p stands for.
func (p *Partial) Places(n int) (from, to int) {
	lo, hi := int64(min(p.From, p.To)), int64(max(p.From, p.To))
	lo, hi = min(lo-1, int64(n)), min(hi, int64(n))
	if p.Last {
		return n - int(hi), n - int(lo)
	}
	return int(lo), int(hi)
}

// append appends the partial-range as it came.
func (p *Partial) append(dst []byte) []byte {
	sign := ""
	if p.Last {
		sign = "-"
	}
	dst = strconv.AppendUint(append(dst, sign...), uint64(p.From), 10)
	dst = append(dst, ':')
	return strconv.AppendUint(append(dst, sign...), uint64(p.To), 10)
}

// parseReturn reads the options behind RETURN. Those that nobody announces are
// refused.
func parseReturn(d *imapwire.Decoder) Return {
	r := Return{Given: true}
	d.List(func() {
		switch word := d.Keyword(); word {
		case "MIN":
			r.Min = true
		case "MAX":
			r.Max = true
		case "ALL":
			r.All = true
		case "COUNT":
			r.Count = true
		case "SAVE":
			r.Save = true
		case "PARTIAL":
			if r.Partial != nil { // RFC 9394 3.1
				d.Fail("PARTIAL may be given only once")
			}
			d.SP()
			r.Partial = ParsePartial(d)
		default:
			d.Fail("%s is no return option here", clip(word))
		}
	})
	if r.All && r.Partial != nil { // RFC 9394 3.1
		d.Fail("PARTIAL and ALL exclude each other")
	}
	if r.items() == 0 && !r.Save {
		r.All = true // RFC 4731 3.1: the empty list is "(ALL)"
	}
	return r
}

// ParsePartial reads a partial-range (RFC 9394 4), of RETURN or of FETCH.
func ParsePartial(d *imapwire.Decoder) *Partial {
	p := &Partial{Last: d.Try('-')}
	p.From = d.NzNumber()
	d.Expect(':')
	if p.Last {
		d.Expect('-')
	}
	p.To = d.NzNumber()
	return p
}

// items is the number of things that an ESEARCH response tells.
func (r *Return) items() int {
	n := 0
	for _, asked := range []bool{r.Min, r.Max, r.All, r.Count, r.Partial != nil} {
		if asked {
			n++
		}
	}
	return n
}

// picks calls yield for what results are told of one by one: of n, those in the
// half-open ranges. ALL and COUNT speak of all of them (RFC 5182 2.4, RFC 4731
// 3.2, RFC 9394 3.2).
func (r *Return) picks(n int, yield func(from, to int)) {
	if n == 0 {
		return
	}
	if r.All || r.Count || r.items() == 0 {
		yield(0, n)
		return
	}
	if r.Min {
		yield(0, 1)
	}
	if r.Partial != nil {
		yield(r.Partial.Places(n))
	}
	if r.Max {
		yield(n-1, n)
	}
}

// clip is what of the client's words goes into a reply.
func clip(s string) string {
	if len(s) > 40 {
		return s[:40]
	}
	return s
}
