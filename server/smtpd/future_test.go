package smtpd

import (
	"testing"
	"time"
)

func TestHoldUntil(t *testing.T) {
	now := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		param string
		want  time.Time // zero: refused
	}{
		{"HOLDFOR=0", now},
		{"HOLDFOR=3600", now.Add(time.Hour)},
		{"HOLDFOR=002592000", now.Add(30 * 24 * time.Hour)},
		{"HOLDFOR=2592001", time.Time{}},
		{"HOLDFOR=0000000001", time.Time{}},
		{"HOLDFOR=-1", time.Time{}},
		{"HOLDFOR=1.5", time.Time{}},
		{"HOLDUNTIL=2026-12-24T18:00:00Z", time.Date(2026, 12, 24, 18, 0, 0, 0, time.UTC)},
		{"HOLDUNTIL=2026-12-24T18:00:00.5Z", time.Date(2026, 12, 24, 18, 0, 0, 5e8, time.UTC)},
		{"HOLDUNTIL=2026-12-24T18:00:00+00:00", time.Time{}},
		{"HOLDUNTIL=2026-12-24T18:00:00+01:00", time.Time{}},
		{"HOLDUNTIL=2026-12-24", time.Time{}},
		{"HOLDUNTIL=2026-11-24T18:00:00Z", time.Time{}},
		{"HOLDUNTIL=2027-12-24T18:00:00Z", time.Time{}},
		{"HOLDUNTIL=9999999-12-24T18:00:00Z", time.Time{}},
	} {
		s, f := parseMail("FROM:<a@example.org> "+c.param, offered{futureRelease: true, now: now})
		if c.want.IsZero() != (f != nil) || f != nil && f.Code != 501 || f == nil && !s.HoldUntil.Equal(c.want) {
			t.Errorf("%s: %v, %v", c.param, s.HoldUntil, f)
		}
	}
}
