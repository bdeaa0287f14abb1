package kv

import (
	"fmt"
	"testing"
	"time"
)

func TestRate(t *testing.T) {
	dir := t.TempDir()
	s := opened(t, dir, Limits{})
	for _, c := range []struct {
		after time.Duration
		want  int64
	}{{0, 1}, {10 * time.Second, 2}, {59 * time.Second, 3}, {time.Minute, 3}, {69 * time.Second, 4}, {70 * time.Second, 4}, {time.Hour, 1}} {
		if n, err := s.Begin("a.lua", alice, start.Add(c.after)).Rate("k", time.Minute); n != c.want || err != nil {
			t.Errorf("after %v: %d, %v", c.after, n, err)
		}
	}
	run := s.Begin("a.lua", alice, start)
	for range 3 {
		if _, err := run.Rate("other", time.Hour); err != nil {
			t.Error(err)
		}
	}
	for _, period := range []time.Duration{0, time.Millisecond, 32 * 24 * time.Hour} {
		if _, err := run.Rate("k", period); err == nil {
			t.Errorf("a period of %v", period)
		}
	}
	must(t, s.Close())
	must(t, s.db.Close())
	s = opened(t, dir, Limits{})
	if n, _ := s.Begin("a.lua", alice, start.Add(30*time.Minute)).Rate("other", time.Hour); n != 4 {
		t.Errorf("after a restart: %d", n)
	}
}

// TestRateMany counts many: it is never less than right, and at most a 32nd of the period late.
func TestRateMany(t *testing.T) {
	r := &rate{period: time.Hour.Milliseconds()}
	now := start.UnixMilli()
	var all []int64
	for range 5000 {
		now += 2900
		all = append(all, now)
		var right, most int64
		for i := len(all) - 1; i >= 0 && all[i] > now-r.period-r.period/30; i-- {
			most++
			if all[i] > now-r.period {
				right++
			}
		}
		if n := r.count(now); n < right || n > most {
			t.Fatalf("%d, right is %d, at most %d", n, right, most)
		}
		if len(r.items) > rateItems {
			t.Fatalf("%d items", len(r.items))
		}
		if again := decodeRate(r.period, r.encode()); fmt.Sprint(again) != fmt.Sprint(r) {
			t.Fatalf("read back: %v, want %v", again, r)
		}
	}
}

// TestRatesFull: rates never fail, the older ones are forgotten.
func TestRatesFull(t *testing.T) {
	l := defaultLimits
	l.Entries = 50
	s := opened(t, t.TempDir(), l)
	for i := range 500 {
		if _, err := s.Begin("a.lua", alice, start.Add(time.Duration(i)*time.Second)).Rate(fmt.Sprint(i), time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	must(t, s.Begin("a.lua", alice, start).Set("k", "1", 0)) // rates take no room of others
	must(t, s.flush(t.Context()))
	if n := len(s.shelves[owner{"a.lua", string(alice.Key())}].entries); n != 50 {
		t.Errorf("%d rates", n)
	}
	if n, _ := s.Begin("a.lua", alice, start.Add(500*time.Second)).Rate("499", time.Hour); n != 2 {
		t.Errorf("the last one is forgotten: %d", n)
	}
}

func FuzzRate(f *testing.F) {
	f.Add(int64(1000), []byte{2, 2, 2, 2})
	f.Fuzz(func(t *testing.T, period int64, raw []byte) {
		if period < 1 || period > maxPeriod.Milliseconds() {
			return
		}
		r := decodeRate(period, raw)
		r.count(start.UnixMilli())
		if len(r.items) > rateItems+1 {
			t.Errorf("%d items", len(r.items))
		}
	})
}
