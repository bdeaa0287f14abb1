package trial

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/hook"
	"facteur/server/kv"
	"facteur/server/statedb"
)

// The memory of a made world does what that of the server does: random runs come
// to the same with both.
func TestMemoryAsTheServers(t *testing.T) {
	db, err := statedb.Open(filepath.Join(t.TempDir(), "state.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	now := Morning
	real, err := kv.Open(t.Context(), kv.Options{State: db, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer real.Close()
	made := NewMemory()
	random := rand.New(rand.NewPCG(1, 2))
	for run := range 2000 {
		box := address.Address{Local: fmt.Sprint(random.IntN(2)), Domain: "example.org"}
		a, b := real.Begin("a.lua", box, now), made.Begin("a.lua", box, now)
		for range random.IntN(6) {
			what, x, y := step(random, a, b)
			if x != y {
				t.Fatalf("run %d, %s: %s with the server's, %s here", run, what, x, y)
			}
		}
		if random.IntN(4) > 0 {
			if x, y := a.Commit(context.Background()), b.Commit(context.Background()); x != nil || y != nil {
				t.Fatal(x, y)
			}
		} else {
			a.Cancel()
			b.Cancel()
		}
		now = now.Add(time.Duration(random.IntN(40)) * time.Second)
	}
}

// step does the same with both, and returns what came of it.
func step(random *rand.Rand, a, b hook.State) (what, x, y string) {
	key := fmt.Sprint([]string{"k", "n"}[random.IntN(2)], random.IntN(3))
	ttl := time.Duration(random.IntN(3)) * time.Minute
	do := func(name string, f func(hook.State) string) (string, string, string) {
		return name + " " + key, f(a), f(b)
	}
	switch random.IntN(6) {
	case 0:
		return do("get", func(s hook.State) string {
			v, ok, err := s.Get(key)
			return fmt.Sprint(v, ok, err)
		})
	case 1:
		value := fmt.Sprint(random.IntN(100))
		if random.IntN(4) == 0 {
			value = "text"
		}
		return do("set", func(s hook.State) string { return fmt.Sprint(s.Set(key, value, ttl)) })
	case 2:
		return do("delete", func(s hook.State) string { return fmt.Sprint(s.Delete(key)) })
	case 3:
		return do("incr", func(s hook.State) string {
			n, err := s.Incr(key, 2, ttl)
			return fmt.Sprint(n, err != nil)
		})
	case 4:
		return do("rate", func(s hook.State) string {
			n, err := s.Rate(key, time.Minute+ttl)
			return fmt.Sprint(n, err)
		})
	}
	return do("duplicate", func(s hook.State) string {
		again, err := s.Duplicate(key, time.Minute+ttl)
		return fmt.Sprint(again, err)
	})
}
