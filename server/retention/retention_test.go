package retention

import (
	"testing"
	"time"
)

func TestOver(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	type kept struct {
		hours int
		size  int64
	}
	list := []kept{{72, 10}, {48, 20}, {24, 30}, {1, 40}}
	for _, c := range []struct {
		name string
		rule Rule
		over int
		rest int64
	}{
		{"nothing", Rule{For: 100 * time.Hour}, 0, 100},
		{"just old enough to stay", Rule{For: 72 * time.Hour}, 0, 100},
		{"by age", Rule{For: 30 * time.Hour}, 2, 70},
		{"by size", Rule{For: 100 * time.Hour, Quota: 89}, 2, 70},
		{"room for all", Rule{For: 100 * time.Hour, Quota: 100}, 0, 100},
		{"both, the older counts", Rule{For: 30 * time.Hour, Quota: 95}, 2, 70},
		{"not even the newest", Rule{For: 100 * time.Hour, Quota: 39}, 4, 0},
		{"no time at all", Rule{}, 4, 0},
	} {
		over, rest := Over(list, c.rule, now, func(k kept) (time.Time, int64) {
			return now.Add(-time.Duration(k.hours) * time.Hour), k.size
		})
		if len(over) != c.over || rest != c.rest {
			t.Errorf("%s: %d over, %d octets left; want %d and %d", c.name, len(over), rest, c.over, c.rest)
		}
	}
	if over, rest := Over(nil, Rule{}, now, func(k kept) (time.Time, int64) { return now, k.size }); len(over) != 0 || rest != 0 {
		t.Errorf("of nothing: %v, %d", over, rest)
	}
}
