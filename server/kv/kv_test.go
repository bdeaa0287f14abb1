package kv

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/hook"
	"facteur/server/statedb"
)

var (
	alice = address.MustParse("alice@example.org")
	bob   = address.MustParse("bob@example.org")
	start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
)

// opened opens a memory in a folder.
func opened(t testing.TB, dir string, limits Limits) *Store {
	t.Helper()
	db, err := statedb.Open(filepath.Join(dir, "state.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(context.Background(), Options{State: db, Limits: limits, Now: func() time.Time { return start }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close()
		db.Close()
	})
	return s
}

func get(t testing.TB, s *Store, box address.Address, key string, at time.Time) string {
	t.Helper()
	value, ok, err := s.Begin("a.lua", box, at).Get(key)
	if err != nil {
		t.Fatal(err)
	}
	if !ok {
		return "-"
	}
	return value
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestTransaction tells who sees what, and when.
func TestTransaction(t *testing.T) {
	dir := t.TempDir()
	s := opened(t, dir, Limits{})
	run := s.Begin("a.lua", alice, start)
	must(t, run.Set("k", "1", 0))
	must(t, run.Set("gone", "x", 0))
	must(t, run.Delete("gone"))
	if v, ok, _ := run.Get("k"); !ok || v != "1" {
		t.Error("a run does not see what it set")
	}
	if _, ok, _ := run.Get("gone"); ok {
		t.Error("a run sees what it deleted")
	}
	if got := get(t, s, alice, "k", start); got != "-" {
		t.Errorf("others see %q before the commit", got)
	}
	must(t, run.Commit(t.Context()))
	cancelled := s.Begin("a.lua", alice, start)
	must(t, cancelled.Set("k", "2", 0))
	cancelled.Cancel()
	must(t, cancelled.Commit(t.Context()))
	for name, got := range map[string]string{
		"k of alice": get(t, s, alice, "k", start), "k of bob": get(t, s, bob, "k", start),
		"k of the server": get(t, s, address.Address{}, "k", start),
	} {
		if want := map[bool]string{true: "1", false: "-"}[name == "k of alice"]; got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	if _, ok, _ := s.Begin("b.lua", alice, start).Get("k"); ok {
		t.Error("another script sees it")
	}
	if err := run.Set("k", "3", 0); err == nil {
		t.Error("a run goes on after its commit")
	}
	must(t, s.Close())
	must(t, s.db.Close())
	if got := get(t, opened(t, dir, Limits{}), alice, "k", start); got != "1" {
		t.Errorf("after a restart: %q", got)
	}
}

func TestTTL(t *testing.T) {
	s := opened(t, t.TempDir(), Limits{})
	run := s.Begin("a.lua", alice, start)
	must(t, run.Set("k", "1", time.Minute))
	must(t, run.Commit(t.Context()))
	for after, want := range map[time.Duration]string{0: "1", 59 * time.Second: "1", time.Minute: "-", time.Hour: "-"} {
		if got := get(t, s, alice, "k", start.Add(after)); got != want {
			t.Errorf("after %v: %q", after, got)
		}
	}
	s.now = func() time.Time { return start.Add(time.Hour) }
	must(t, s.Prune(t.Context()))
	if s.total != 0 || len(s.shelves[owner{"a.lua", string(alice.Key())}].entries) != 0 {
		t.Errorf("what has ended is still there: %d octets", s.total)
	}
}

func TestIncr(t *testing.T) {
	dir := t.TempDir()
	s := opened(t, dir, Limits{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				run := s.Begin("a.lua", alice, start)
				if _, err := run.Incr("n", 1, 0); err != nil {
					t.Error(err)
				}
				run.Cancel() // counts all the same
			}
		})
	}
	wg.Wait()
	run := s.Begin("a.lua", alice, start)
	must(t, run.Set("n", "5", 0))
	if n, err := run.Incr("n", -7, 0); n != -2 || err != nil {
		t.Errorf("of what the run has set: %d, %v", n, err)
	}
	if got := get(t, s, alice, "n", start); got != "800" {
		t.Errorf("%s, want 800", got)
	}
	must(t, run.Set("text", "five", 0))
	if _, err := run.Incr("text", 1, 0); err == nil {
		t.Error("a text was counted")
	}
	if _, err := run.Incr("big", 1<<62, 0); err != nil {
		t.Error(err)
	}
	if _, err := run.Incr("big", 1<<62, 0); err == nil {
		t.Error("a number went over")
	}
	for i, want := range []int64{1, 2, 1} {
		late := s.Begin("a.lua", alice, start.Add(time.Duration(i)*40*time.Second))
		if n, err := late.Incr("window", 1, time.Minute); n != want || err != nil {
			t.Errorf("Incr %d with a ttl: %d, %v", i, n, err)
		}
	}
	must(t, s.Close())
	must(t, s.db.Close())
	if got := get(t, opened(t, dir, Limits{}), alice, "n", start); got != "800" {
		t.Errorf("after a restart: %s", got)
	}
}

func TestDuplicate(t *testing.T) {
	s := opened(t, t.TempDir(), Limits{})
	first, second := s.Begin("a.lua", alice, start), s.Begin("a.lua", alice, start)
	for _, c := range []struct {
		name string
		run  hook.State
		want bool
	}{
		{"first", first, false}, {"again in the run", first, true}, {"in flight elsewhere", second, false},
	} {
		if got, err := c.run.Duplicate("id", time.Hour); got != c.want || err != nil {
			t.Errorf("%s: %v, %v", c.name, got, err)
		}
	}
	second.Cancel()
	must(t, first.Commit(t.Context()))
	for after, want := range map[time.Duration]bool{0: true, 59 * time.Minute: true, time.Hour: false} {
		if got, _ := s.Begin("a.lua", alice, start.Add(after)).Duplicate("id", time.Hour); got != want {
			t.Errorf("after %v: %v", after, got)
		}
	}
	if got := get(t, s, alice, "id", start); got != "-" {
		t.Errorf("a noted key is a value: %q", got)
	}
}

// TestCommitWith commits two scripts at once, or neither.
func TestCommitWith(t *testing.T) {
	dir := t.TempDir()
	s := opened(t, dir, Limits{})
	a, b := s.Begin("a.lua", alice, start), s.Begin("b.lua", address.Address{}, start)
	must(t, a.Set("k", "1", 0))
	must(t, b.Set("k", "2", 0))
	ended, end := context.WithCancel(t.Context())
	end()
	if err := a.(hook.JointState).CommitWith(ended, []hook.State{b}); !errors.Is(err, context.Canceled) {
		t.Errorf("a commit that nobody waits for: %v", err)
	}
	if got := get(t, s, alice, "k", start); got != "-" {
		t.Errorf("half a commit: %q", got)
	}
	a, b = s.Begin("a.lua", alice, start), s.Begin("b.lua", address.Address{}, start)
	must(t, a.Set("k", "1", 0))
	must(t, b.Set("k", "2", 0))
	must(t, a.(hook.JointState).CommitWith(t.Context(), []hook.State{b}))
	if v, ok, _ := s.Begin("b.lua", address.Address{}, start).Get("k"); !ok || v != "2" {
		t.Errorf("the second: %q", v)
	}
	for _, sh := range s.shelves {
		if sh.busy != 0 || len(sh.writing) != 0 {
			t.Errorf("a commit holds its shelf: %+v", sh)
		}
	}
	other := opened(t, t.TempDir(), Limits{})
	if err := a.(hook.JointState).CommitWith(t.Context(), []hook.State{other.Begin("a.lua", alice, start)}); err == nil {
		t.Error("states of two stores were committed")
	}
}

// TestLimits reaches each limit; what was there can still be changed.
func TestLimits(t *testing.T) {
	l := Limits{Entries: 5, Octets: 1000, ServerEntries: 8, ServerOctets: 2000, Changes: 6, Key: 20, Value: 500, Total: 3000, Cache: 1 << 20}
	s := opened(t, t.TempDir(), l)
	full := func(box address.Address, n, size int) (last error) {
		for i := range n {
			run := s.Begin("a.lua", box, start)
			if last = run.Set(fmt.Sprint(i), strings.Repeat("x", size), time.Hour); last == nil {
				must(t, run.Commit(t.Context()))
			}
		}
		return last
	}
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"no key", s.Begin("a.lua", bob, start).Set("", "x", 0), "empty"},
		{"long key", s.Begin("a.lua", bob, start).Set(strings.Repeat("k", 21), "x", 0), "20 octets"},
		{"large value", s.Begin("a.lua", bob, start).Set("k", strings.Repeat("k", 501), 0), "500 octets"},
		{"entries", full(alice, 6, 1), "5 keys"},
		{"what is there", full(alice, 5, 20), ""},
		{"octets", full(bob, 4, 400), "full: 0 kB"},
		{"all", full(address.Address{}, 8, 200), "all scripts"},
	} {
		switch {
		case c.want == "" && c.err != nil, c.want != "" && (c.err == nil || !strings.Contains(c.err.Error(), c.want)):
			t.Errorf("%s: %v", c.name, c.err)
		}
	}
	later := s.Begin("a.lua", alice, start.Add(2*time.Hour))
	must(t, later.Set("new", "x", 0)) // the others have ended
	run := s.Begin("a.lua", alice, start)
	var err error
	for i := range 7 {
		err = run.Delete(fmt.Sprint(i))
	}
	if err == nil || !strings.Contains(err.Error(), "at most 6 keys") {
		t.Errorf("changes of a run: %v", err)
	}
}

// TestCache has far more shelves than the memory holds.
func TestCache(t *testing.T) {
	l := defaultLimits
	l.Cache = 2000
	s := opened(t, t.TempDir(), l)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 100 {
				box := address.MustParse(fmt.Sprintf("u%d@example.org", i%25))
				run := s.Begin("a.lua", box, start)
				if _, err := run.Incr("n", 1, 0); err != nil {
					t.Error(err)
				}
				if i%5 == g {
					if err := errors.Join(run.Set("k", strings.Repeat("x", 100), 0), run.Commit(t.Context())); err != nil {
						t.Error(err)
					}
				}
				if i%20 == 0 {
					if err := s.flush(t.Context()); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	must(t, s.flush(t.Context()))
	if s.cached > l.Cache || len(s.dirty) > 0 {
		t.Errorf("%d octets in memory, %d shelves to be written", s.cached, len(s.dirty))
	}
	for i := range 25 {
		if got := get(t, s, address.MustParse(fmt.Sprintf("u%d@example.org", i)), "n", start); got != "16" {
			t.Errorf("counter %d: %s, want 16", i, got)
		}
	}
}

func TestRemove(t *testing.T) {
	dir := t.TempDir()
	s := opened(t, dir, Limits{})
	for _, box := range []address.Address{alice, bob} {
		run := s.Begin("a.lua", box, start)
		must(t, run.Set("k", "1", 0))
		must(t, run.Commit(t.Context()))
		if _, err := run.Incr("n", 1, 0); err == nil {
			t.Error("a run counts after its commit")
		}
		if _, err := s.Begin("a.lua", box, start).Incr("n", 1, 0); err != nil {
			t.Error(err)
		}
	}
	must(t, s.Remove(t.Context(), alice))
	must(t, s.Close())
	must(t, s.db.Close())
	s = opened(t, dir, Limits{})
	if got := get(t, s, alice, "k", start) + get(t, s, alice, "n", start) + get(t, s, bob, "k", start) + get(t, s, bob, "n", start); got != "--11" {
		t.Errorf("left: %s", got)
	}
}

// TestAgain: a run whose message comes again keeps what it set, and has noted nothing.
func TestAgain(t *testing.T) {
	s := opened(t, t.TempDir(), Limits{})
	for range 2 {
		run := s.Begin("a.lua", alice, start)
		must(t, run.Set("k", "v", 0))
		if seen, err := run.Duplicate("m", time.Hour); seen || err != nil {
			t.Fatal(seen, err)
		}
		run.(hook.RetriedState).Again()
		must(t, run.Commit(t.Context()))
	}
	if got := get(t, s, alice, "k", start); got != "v" {
		t.Error(got)
	}
}
