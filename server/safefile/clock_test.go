package safefile

import (
	"slices"
	"sync"
	"testing"
	"time"
)

func TestClock(t *testing.T) {
	var c Clock
	now := time.Unix(1_700_000_000, 5)
	for i, given := range []struct{ now, want time.Time }{
		{now, now},
		{now, now.Add(1)},                        // the same tick
		{now.Add(-time.Hour), now.Add(2)},        // set back
		{now.Add(time.Hour), now.Add(time.Hour)}, // and on
	} {
		if got := c.Next(given.now); !got.Equal(given.want) {
			t.Errorf("time %d is %v, want %v", i, got, given.want)
		}
	}
}

func TestClockAtOnce(t *testing.T) {
	var c Clock
	var mu sync.Mutex
	var all []int64
	var work sync.WaitGroup
	now := time.Unix(1_700_000_000, 0)
	for range 8 {
		work.Go(func() {
			for range 100 {
				next := c.Next(now).UnixNano()
				mu.Lock()
				all = append(all, next)
				mu.Unlock()
			}
		})
	}
	work.Wait()
	slices.Sort(all)
	if n := len(slices.Compact(all)); n != 800 {
		t.Errorf("%d times of 800 are different", n)
	}
}
