package statedb

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"

	"facteur/server/testkit"
)

func TestMain(m *testing.M) {
	testkit.Main(m, func(args []string) error { return writeUntilKilled(args[0], args[1]) })
}

// writeUntilKilled writes rows from four goroutines, and prints the number of
// each, from a number on, once Write has returned.
func writeUntilKilled(path, begin string) error {
	db, err := Open(path, nil)
	if err != nil {
		return err
	}
	if err := db.Migrate("test", table); err != nil {
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
				if err := db.Write(context.Background(), insert(n)); err != nil {
					fmt.Fprintln(os.Stderr, err)
					return
				}
				fmt.Printf("%d\n", n)
				db.Later(insert(n + 1<<40))
			}
		})
	}
	wg.Wait()
	return db.Close()
}

// TestKill kills a process that writes, again and again: what it had been told
// is durable is there, and the file is whole.
func TestKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	var acknowledged []int
	for round := range 8 {
		for _, line := range testkit.Kill(t, 11+round*37, path, strconv.Itoa(round*1_000_000)) {
			n, err := strconv.Atoi(line)
			if err != nil {
				t.Fatal(err)
			}
			acknowledged = append(acknowledged, n)
		}
	}
	db := open(t, path)
	list := rows(t, db)
	for _, n := range acknowledged {
		if _, ok := slices.BinarySearch(list, n); !ok {
			t.Errorf("row %d is lost", n)
		}
	}
	if kept, _ := filepath.Glob(path + ".damaged-*"); len(kept) > 0 {
		t.Errorf("set aside: %q", kept)
	}
	t.Logf("%d rows acknowledged, %d found", len(acknowledged), len(list))
}
