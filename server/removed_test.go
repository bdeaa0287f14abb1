package server

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"facteur/server/config"
)

// TestRemoval follows the folder of a removed account to its end.
func TestRemoval(t *testing.T) {
	data := t.TempDir()
	for _, dir := range []string{"alice", "bob"} {
		if err := os.MkdirAll(filepath.Join(data, "domains", "example.org", dir, "mail"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	both := map[string]bool{"example.org/alice": true, "example.org/bob": true}
	one := map[string]bool{"example.org/alice": true}
	start := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	const day = 24 * time.Hour
	for _, step := range []struct {
		after   time.Duration
		known   map[string]bool
		keep    time.Duration
		waiting int
		there   bool // bob's folder
		attic   int
	}{
		{0, both, 30 * day, 0, true, 0},
		{0, one, 30 * day, 1, true, 0},
		{29 * day, one, 30 * day, 1, true, 0},
		{29 * day, both, 30 * day, 0, true, 0}, // back again: nothing has happened
		{40 * day, one, 30 * day, 1, true, 0},  // and counted anew
		{69 * day, one, 30 * day, 1, true, 0},
		{71 * day, one, config.Never, 1, true, 0},
		{71 * day, one, 30 * day, 0, false, 1},
		{100 * day, one, 30 * day, 0, false, 1},
		{900 * day, one, config.Never, 0, false, 1},
		{102 * day, one, 30 * day, 0, false, 0},
	} {
		r := removal{data: data, keep: step.keep, now: start.Add(step.after), log: slog.New(slog.DiscardHandler)}
		waiting, err := r.sweep(step.known)
		if err != nil || len(waiting) != step.waiting {
			t.Errorf("%+v: %v, %v", step, waiting, err)
		}
		if _, err := os.Stat(filepath.Join(data, "domains", "example.org", "bob", "mail")); (err == nil) != step.there {
			t.Errorf("%+v: %v", step, err)
		}
		kept, err := filepath.Glob(filepath.Join(data, attic, "*.example.org.bob", "mail"))
		if err != nil || len(kept) != step.attic {
			t.Errorf("%+v: %v %v", step, kept, err)
		}
		if _, err := os.Stat(filepath.Join(data, "domains", "example.org", "alice", removedSince)); err == nil {
			t.Errorf("%+v: alice is marked", step)
		}
	}
}
