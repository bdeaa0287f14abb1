package statedb

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
)

// victim is the environment of the process that TestKill kills: the path.
const victim = "STATEDB_TEST_VICTIM"

func TestMain(m *testing.M) {
	if path := os.Getenv(victim); path != "" {
		err := writeUntilKilled(path)
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// writeUntilKilled writes rows from four goroutines, and prints the number of
// each once Write has returned.
func writeUntilKilled(path string) error {
	db, err := Open(path, nil)
	if err != nil {
		return err
	}
	if err := db.Migrate("test", table); err != nil {
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
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), victim+"="+path, fmt.Sprintf("%s_FIRST=%d", victim, round*1_000_000))
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReader(out)
		for i := 0; ; i++ {
			line, err := r.ReadString('\n')
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			n, err := strconv.Atoi(line[:len(line)-1])
			if err != nil {
				t.Fatal(err)
			}
			acknowledged = append(acknowledged, n)
			if i == 10+round*37 {
				cmd.Process.Kill()
			}
		}
		cmd.Wait()
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
