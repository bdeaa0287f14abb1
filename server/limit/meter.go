package limit

import (
	"net/netip"
	"time"
)

// meter allows so many events in a period to each key, as a bucket that leaks: a
// burst is allowed at once, and then one event each period/burst. It keeps one
// time for each key, of at most 2*room keys; those not seen for the longest go
// first.
type meter struct {
	period time.Duration
	burst  int
	room   int
	// The time is when the bucket of a key is empty again. A key is in young when it
	// was used since the two were last exchanged.
	young, old map[netip.Prefix]time.Time
}

func newMeter(burst int, period time.Duration, room int) *meter {
	return &meter{period: period, burst: burst, room: room, young: make(map[netip.Prefix]time.Time)}
}

// empty returns when the bucket of a key is empty: never before now, and never
// more than a period after it, wherever the clock was before.
func (m *meter) empty(key netip.Prefix, now time.Time) time.Time {
	at, ok := m.young[key]
	if !ok {
		at = m.old[key]
	}
	if at.Before(now) {
		return now
	}
	if most := now.Add(m.period); at.After(most) {
		return most
	}
	return at
}

// level returns how many events of a key are in its bucket.
func (m *meter) level(key netip.Prefix, now time.Time) int {
	each := m.period / time.Duration(m.burst)
	return int((m.empty(key, now).Sub(now) + each - 1) / each)
}

// full tells whether there is no room for one more event. A key that is full is
// kept as if it had been used.
func (m *meter) full(key netip.Prefix, now time.Time) bool {
	at := m.empty(key, now)
	if !at.Add(m.period / time.Duration(m.burst)).After(now.Add(m.period)) {
		return false
	}
	m.set(key, at)
	return true
}

// add counts an event, or returns false when there is no room for it.
func (m *meter) add(key netip.Prefix, now time.Time) bool {
	if m.full(key, now) {
		return false
	}
	m.set(key, m.empty(key, now).Add(m.period/time.Duration(m.burst)))
	return true
}

func (m *meter) set(key netip.Prefix, at time.Time) {
	if len(m.young) >= m.room {
		m.young, m.old = make(map[netip.Prefix]time.Time), m.young
	}
	m.young[key] = at
}

// size returns how many keys are kept.
func (m *meter) size() int { return len(m.young) + len(m.old) }
