package retention

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/safefile"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func TestCut(t *testing.T) {
	list := []Thing{}
	for _, k := range []struct{ hours, size int64 }{{72, 10}, {48, 20}, {24, 30}, {1, 40}} {
		list = append(list, Thing{At: noon.Add(-time.Duration(k.hours) * time.Hour), Size: k.size})
	}
	for _, c := range []struct {
		name  string
		keep  time.Duration
		quota int64
		over  int
		rest  int64
	}{
		{"nothing", 100 * time.Hour, 0, 0, 100},
		{"just old enough to stay", 72 * time.Hour, 0, 0, 100},
		{"by age", 30 * time.Hour, 0, 2, 70},
		{"by size", 100 * time.Hour, 89, 2, 70},
		{"room for all", 100 * time.Hour, 100, 0, 100},
		{"a sixteenth is left free", 100 * time.Hour, 96, 1, 90},
		{"but for what is larger", 100 * time.Hour, 91, 1, 90},
		{"both, the older counts", 30 * time.Hour, 95, 2, 70},
		{"not even the newest", 100 * time.Hour, 39, 4, 0},
		{"no time at all", 0, 0, 4, 0},
	} {
		if over, rest := cut(list, c.keep, c.quota, noon); len(over) != c.over || rest != c.rest {
			t.Errorf("%s: %d over, %d octets left; want %d and %d", c.name, len(over), rest, c.over, c.rest)
		}
	}
	if over, rest := cut[Thing](nil, 0, 0, noon); len(over) != 0 || rest != 0 {
		t.Errorf("of nothing: %v, %d", over, rest)
	}
}

var alice, bob = address.MustParse("alice@example.org"), address.MustParse("bob@example.org")

// world is Bins of which the kinds have files in a directory of their name on each day, which
// were deleted at their mtimes.
type world struct {
	*testing.T
	*Bin[Thing] // of alice, what is in box
	bins        *Bins
	now         time.Time
	keep        time.Duration
	quota       int64
	log         strings.Builder
	full        bool                         // the disk
	listed      map[string]int               // how often a kind was asked for a day
	broken      func(kind, dir string) error // of listing a day; may be nil
	stuck       string                       // name of what can't be removed
}

func newWorld(t *testing.T) *world {
	w := &world{T: t, now: noon, keep: 100 * time.Hour, listed: make(map[string]int)}
	w.bins = New(Options{
		Dir: t.TempDir(), Log: slog.New(slog.NewTextHandler(&w.log, nil)),
		FS:   &safefile.Faulty{FS: safefile.Unsynced{FS: safefile.OS}, Fail: w.fail},
		Now:  func() time.Time { return w.now },
		Keep: func(address.Address) (time.Duration, int64) { return w.keep, w.quota },
	})
	t.Cleanup(w.bins.Close)
	w.Bin = w.add("box").Bin(alice)
	return w
}

// add adds a kind.
func (w *world) add(name string) *Kind[Thing] {
	return Add(w.bins, name, func(d Day) ([]Thing, error) {
		w.listed[name]++
		if w.broken != nil {
			if err := w.broken(name, d.Dir); err != nil {
				return nil, err
			}
		}
		return things(d, name)
	})
}

func (w *world) fail(op safefile.Op) error {
	if w.full && op.Kind == "mkdir" {
		return &os.PathError{Op: op.Kind, Path: op.Path, Err: syscall.ENOSPC}
	}
	if op.Kind == "remove" && filepath.Base(op.Path) == w.stuck {
		return &os.PathError{Op: op.Kind, Path: op.Path, Err: syscall.EPERM}
	}
	return nil
}

func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func things(d Day, name string) (all []Thing, err error) {
	entries, err := os.ReadDir(filepath.Join(d.Dir, name))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		all = append(all, Thing{At: info.ModTime(), Size: info.Size(), Place: filepath.Join(d.Dir, name, e.Name())})
	}
	return all, err
}

// delete puts a thing into box.
func (w *world) delete(name string, size int) {
	w.Helper()
	w.put(w.Bin, name, size)
	w.settle()
}

// put puts a thing into a Bin.
func (w *world) put(b *Bin[Thing], name string, size int) {
	w.Helper()
	dir, err := b.Today(b.kind.name)
	w.ok(err)
	path := filepath.Join(dir, name)
	w.ok(os.WriteFile(path, make([]byte, size), 0o600))
	w.ok(os.Chtimes(path, w.now, w.now))
	b.Grew(int64(size))
}

// settle waits for what runs in the background.
func (w *world) settle() { w.bins.work.Wait() }

// has compares what is there, the names of things oldest first.
func (w *world) has(what, want string) {
	w.Helper()
	all, err := w.List()
	w.ok(err)
	var names []string
	for _, t := range all {
		names = append(names, filepath.Base(t.Place))
	}
	if got := strings.Join(names, " "); got != want {
		w.Errorf("%s: %q, want %q", what, got, want)
	}
}

// tree returns what is in deleted/, to the second level.
func (w *world) tree() string {
	paths, err := filepath.Glob(filepath.Join(w.account.dir, "*"))
	w.ok(err)
	more, err := filepath.Glob(filepath.Join(w.account.dir, "*", "*"))
	w.ok(err)
	paths = append(paths, more...)
	slices.Sort(paths)
	for i, p := range paths {
		paths[i], _ = filepath.Rel(w.account.dir, p)
	}
	return strings.Join(paths, " ")
}

func TestBin(t *testing.T) {
	w := newWorld(t)
	w.delete("z", 1)
	w.now = w.now.Add(time.Hour)
	w.delete("a", 2)
	w.now = w.now.Add(24 * time.Hour)
	w.delete("m", 3)
	w.ok(os.Mkdir(filepath.Join(w.account.dir, "mine"), 0o700))
	w.has("over two days", "z a m")
	w.keep = 24 * time.Hour
	w.ok(w.bins.Purge(alice))
	w.has("what is young enough", "a m")
	w.now = noon.AddDate(0, 0, 1).Add(12*time.Hour + settled - 1)
	w.keep = time.Hour
	w.ok(w.bins.Purge(alice))
	w.has("nothing is", "")
	if got, want := w.tree(), "2026-11-23 2026-11-23/box mine"; got != want {
		t.Errorf("when a day has just ended: %s, want %s", got, want)
	}
	w.now = w.now.Add(1)
	w.ok(w.bins.Purge(alice))
	if got, want := w.tree(), "mine"; got != want {
		t.Errorf("when it is settled: %s, want %s", got, want)
	}
}

// The quota is looked at when something comes, in the background, and not after the end.
func TestQuota(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"a", "b", "c"} {
		w.delete(name, 10)
		w.now = w.now.Add(time.Minute)
	}
	w.has("without a quota", "a b c")
	w.quota = 25
	w.delete("d", 1)
	w.has("with one", "b c d")
	w.ok(w.Use(func(all []Thing) error { return os.Remove(all[0].Place) }))
	w.delete("e", 10)
	w.has("after some came back", "c d e")
	w.delete("f", 10)
	w.has("above it again", "d e f")
	w.ok(os.Rename(w.account.dir, w.account.dir+"-removed"))
	w.Forget()
	w.delete("g", 10)
	w.has("in a new folder", "g")
	w.bins.Close()
	for _, name := range []string{"h", "i"} {
		w.delete(name, 10)
	}
	w.has("after the end", "g h i")
}

func TestNothingIsKept(t *testing.T) {
	w := newWorld(t)
	w.full = true
	if dir, err := w.Today("box"); dir != "" || err != nil {
		t.Errorf("on a full disk: %q, %v", dir, err)
	}
	if !strings.Contains(w.log.String(), "box.deleted") {
		t.Errorf("the log has %q", w.log.String())
	}
	w.full, w.keep = false, 0
	if dir, err := w.Today("box"); dir != "" || err != nil || w.tree() != "" {
		t.Errorf("for no time: %q, %v, and there is %q", dir, err, w.tree())
	}
}

// Who reads waits for what is on its way.
func TestFill(t *testing.T) {
	w := newWorld(t)
	done := w.Fill()
	listed := make(chan []Thing)
	go func() {
		all, _ := w.List()
		listed <- all
	}()
	w.delete("a", 1)
	done()
	if all := <-listed; len(all) != 1 {
		t.Errorf("listed: %v", all)
	}
}
