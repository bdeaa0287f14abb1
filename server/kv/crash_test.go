package kv

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"facteur/server/hook"
	"facteur/server/statedb"
	"facteur/server/testkit"
)

func TestMain(m *testing.M) {
	testkit.Main(m, func(args []string) error { return commitUntilKilled(args[0], args[1]) })
}

// commitUntilKilled commits two scripts at a time, from four goroutines, and prints
// the number of each, from a number on, once it is durable.
func commitUntilKilled(dir, begin string) error {
	db, err := statedb.Open(filepath.Join(dir, "state.db"), nil)
	if err != nil {
		return err
	}
	s, err := Open(context.Background(), Options{State: db})
	if err != nil {
		return err
	}
	first, err := strconv.Atoi(begin)
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for n := first + g; ; n += 4 {
				if err := commitBoth(s, n); err != nil {
					fmt.Fprintln(os.Stderr, err)
					return
				}
				fmt.Printf("%d\n", n)
			}
		})
	}
	wg.Wait()
	return db.Close()
}

// commitBoth notes a number in two memories, and counts in one of them.
func commitBoth(s *Store, n int) error {
	a, b := s.Begin("a.lua", alice, start), s.Begin("b.lua", bob, start)
	for _, st := range []hook.State{a, b} {
		if _, err := st.Duplicate(strconv.Itoa(n), 0); err != nil {
			return err
		}
	}
	if _, err := a.Incr("n", 1, 0); err != nil {
		return err
	}
	return a.(hook.JointState).CommitWith(context.Background(), []hook.State{b})
}

// TestKill kills a process between its acknowledgement and its next step: what it had
// told is noted, in both memories or neither.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	told := map[int]bool{}
	for round := range 5 {
		for _, line := range testkit.Kill(t, 11+round*13, dir, strconv.Itoa(round*100_000)) {
			n, err := strconv.Atoi(line)
			must(t, err)
			told[n] = true
		}
	}
	s := opened(t, dir, Limits{})
	kept := 0
	for round := range 5 {
		for n := round * 100_000; n < round*100_000+5000; n++ {
			a, b := s.Begin("a.lua", alice, start), s.Begin("b.lua", bob, start)
			inA, errA := a.Duplicate(strconv.Itoa(n), 0)
			inB, errB := b.Duplicate(strconv.Itoa(n), 0)
			if errA != nil || errB != nil {
				t.Fatal(errA, errB)
			}
			if inA != inB || told[n] && !inA {
				t.Errorf("%d: told %v, in one memory %v, in the other %v", n, told[n], inA, inB)
			}
			if inA {
				kept++
			}
		}
	}
	t.Logf("%d told, %d kept", len(told), kept)
	if kept < len(told) || len(told) < 5*10 {
		t.Errorf("%d told, %d kept", len(told), kept)
	}
}
