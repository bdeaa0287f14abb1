package kv

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"facteur/server/hook"
	"facteur/server/statedb"
)

// victim is the environment of the process that TestKill kills: the folder.
const victim = "KV_TEST_VICTIM"

func TestMain(m *testing.M) {
	if dir := os.Getenv(victim); dir != "" {
		fmt.Fprintln(os.Stderr, commitUntilKilled(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// commitUntilKilled commits two scripts at a time, from four goroutines, and prints
// the number of each once it is durable.
func commitUntilKilled(dir string) error {
	db, err := statedb.Open(filepath.Join(dir, "state.db"), nil)
	if err != nil {
		return err
	}
	s, err := Open(context.Background(), Options{State: db})
	if err != nil {
		return err
	}
	first, err := strconv.Atoi(os.Getenv(victim + "_FIRST"))
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
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), victim+"="+dir, fmt.Sprintf("%s_FIRST=%d", victim, round*100_000))
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		r := bufio.NewReader(out)
		for i := 0; ; i++ {
			line, err := r.ReadString('\n')
			if err == io.EOF {
				break
			}
			must(t, err)
			n, err := strconv.Atoi(strings.TrimSpace(line))
			must(t, err)
			told[n] = true
			if i == 10+round*13 {
				cmd.Process.Kill()
			}
		}
		cmd.Wait()
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
