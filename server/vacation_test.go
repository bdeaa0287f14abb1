package server

import (
	"testing"

	"facteur/server/hook"
)

func TestDescribeVacation(t *testing.T) {
	first, last := hook.Date{Year: 2026, Month: 12, Day: 20}, hook.Date{Year: 2027, Month: 1, Day: 4}
	for _, c := range []struct {
		start, stop, today hook.Date
		want               string
	}{
		{hook.Date{}, hook.Date{}, first, "a vacation is on: who writes is told so"},
		{first, hook.Date{}, first, "a vacation is on: who writes is told so"},
		{first, last, last, "a vacation is on: who writes is told so until 2027-01-04"},
		{first, last, hook.Date{Year: 2026, Month: 12, Day: 19}, "a vacation begins on 2026-12-20: who writes is told so until 2027-01-04"},
		{last, hook.Date{}, first, "a vacation begins on 2027-01-04: who writes is told so from then on"},
		{first, last, hook.Date{Year: 2027, Month: 1, Day: 5}, ""},
	} {
		if got := describeVacation(&hook.AutoReply{Start: c.start, Stop: c.stop}, c.today); got != c.want {
			t.Errorf("%s to %s, on %s: %q, want %q", c.start, c.stop, c.today, got, c.want)
		}
	}
}
