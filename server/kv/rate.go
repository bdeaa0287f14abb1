package kv

import (
	"encoding/binary"
	"strconv"
	"strings"
	"time"
)

const (
	maxPeriod = 31 * 24 * time.Hour
	rateItems = 64 // times that a rate keeps apart
)

// rate counts events over a sliding period. It is exact up to rateItems events;
// beyond that those of the same 32nd of the period count as one moment, the last.
type rate struct {
	period int64 // milliseconds
	items  []item
}

// item is a moment in Unix milliseconds, and how many events it stands for.
type item struct{ at, n int64 }

// size is what a rate takes, in octets.
func (r *rate) size() int64 { return 16 * int64(len(r.items)) }

// count counts an event and returns how many are within the period.
func (r *rate) count(now int64) int64 {
	keep := r.items[:0]
	for _, it := range r.items {
		if it.at > now-r.period {
			keep = append(keep, it)
		}
	}
	r.items = append(keep, item{now, 1})
	if len(r.items) > rateItems {
		r.join()
	}
	var n int64
	for _, it := range r.items {
		n += it.n
	}
	return n
}

// join makes one item of those in the same slot.
func (r *rate) join() {
	slot := r.period/(rateItems/2) + 1
	out := r.items[:1]
	for _, it := range r.items[1:] {
		last := &out[len(out)-1]
		if it.at/slot == last.at/slot {
			last.at, last.n = it.at, last.n+it.n
			continue
		}
		out = append(out, it)
	}
	r.items = out
}

// rateName is the key of a rate.
func rateName(period time.Duration, key string) string {
	return rateKey + strconv.FormatInt(period.Milliseconds(), 10) + ":" + key
}

// ratePeriod returns the period in the key of a rate.
func ratePeriod(name string) (int64, bool) {
	rest, ok := strings.CutPrefix(name, rateKey)
	if !ok {
		return 0, false
	}
	digits, _, ok := strings.Cut(rest, ":")
	period, err := strconv.ParseInt(digits, 10, 64)
	return period, ok && err == nil && period > 0
}

// encode writes a rate: for each moment how long after the one before, and how many.
func (r *rate) encode() []byte {
	var b []byte
	var last int64
	for _, it := range r.items {
		b = binary.AppendVarint(b, it.at-last)
		b = binary.AppendVarint(b, it.n)
		last = it.at
	}
	return b
}

// decodeRate reads a rate; what is not right in it is not counted.
func decodeRate(period int64, b []byte) *rate {
	r := &rate{period: period}
	var at int64
	for len(r.items) <= rateItems {
		delta, n := binary.Varint(b)
		if n <= 0 {
			break
		}
		count, m := binary.Varint(b[n:])
		if m <= 0 || count <= 0 {
			break
		}
		at += delta
		r.items = append(r.items, item{at, count})
		b = b[n+m:]
	}
	return r
}

// makeRoom forgets rates until there is room for one more, those that end first of
// some. mu is held.
func (s *Store) makeRoom(sh *shelf) {
	most, size := s.room(sh)
	for sh.rates > 0 && (sh.rates >= most || sh.octets >= size) {
		name := sh.earliest()
		s.put(sh, name, nil)
		s.later(sh, name, false)
	}
}

// earliest returns the rate that ends first of some.
func (sh *shelf) earliest() string {
	var name string
	var first *entry
	rates, seen := 0, 0
	for key, e := range sh.entries { // in no order: a sample
		seen++
		if e.rate != nil {
			rates++
			if first == nil || e.ends < first.ends {
				name, first = key, e
			}
		}
		if rates == 16 || rates > 0 && seen > 500 {
			break
		}
	}
	return name
}
