package msgindex

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"facteur/server/maildir"
	"facteur/server/safefile"
)

func open(t testing.TB, dir string) (*Index, Found) {
	t.Helper()
	x, found := Open(Options{Dir: dir, Validity: 7, BootID: "boot"})
	t.Cleanup(func() { x.end() })
	return x, found
}

// kill ends an index as the end of the process does: nothing more is written.
func kill(x *Index) {
	x.work.Wait()
	x.mu.Lock()
	x.closed = true
	if x.list != nil {
		x.list.close()
	}
	x.mu.Unlock()
	x.closeCache()
}

// TestReopen makes random batches with closes and kills between, and compares
// what is found each time with the model.
func TestReopen(t *testing.T) {
	seeds := uint64(3)
	if testing.Short() {
		seeds = 1
	}
	for seed := range seeds {
		dir := t.TempDir()
		x, found := open(t, dir)
		if !found.Empty || found.UIDNext != 1 {
			t.Fatalf("a new index: %+v", found)
		}
		d := newDriver(t, seed, x)
		d.fill(300)
		for range 60 {
			for range d.rng.IntN(12) {
				d.step(d.rng.IntN(20), d.rng.IntN(10), d.rng.IntN(40))
				if d.rng.IntN(10) == 0 {
					d.stamp = maildir.Stamp{New: d.rng.Int64(), Cur: 5}
					d.x.Stamp(d.stamp)
				}
			}
			clean := d.rng.IntN(2) == 0
			if clean {
				d.x.Close(d.stamp)
				d.x.Close(d.stamp) // no harm
			} else {
				kill(d.x)
			}
			text := contents(d.x.Snapshot())
			d.x, found = open(t, dir)
			want := Found{Clean: clean, SameBoot: true, Stamp: d.stamp, UIDNext: d.m.next, HighestModSeq: d.m.modSeq}
			if found != want && !(found.Clean && !clean && text == contents(d.x.Snapshot())) {
				t.Fatalf("seed %d: found %+v, want %+v", seed, found, want)
			}
			if contents(d.x.Snapshot()) != text {
				t.Fatalf("seed %d: another state", seed)
			}
			d.check(d.x.Snapshot())
		}
	}
}

func TestRecent(t *testing.T) {
	dir := t.TempDir()
	x, _ := open(t, dir)
	d := newDriver(t, 1, x)
	d.fill(3)
	d.x.Begin().Commit(Commit{Recent: 4})
	d.step(1, 1, 1)
	d.x.Close(d.stamp)
	if x, _ = open(t, dir); x.Snapshot().Recent() != 4 {
		t.Errorf("recent %d", x.Snapshot().Recent())
	}
}

func TestOtherBootAndValidity(t *testing.T) {
	dir := t.TempDir()
	x, _ := open(t, dir)
	d := newDriver(t, 1, x)
	d.fill(3)
	kill(d.x)
	x, found := Open(Options{Dir: dir, Validity: 7, BootID: "next"})
	if found.Empty || found.Clean || found.SameBoot {
		t.Fatalf("after a power cut: %+v", found)
	}
	d.x = x
	d.step(1, 0, 1)
	kill(x)
	x, found = Open(Options{Dir: dir, Validity: 7, BootID: "next"})
	if found.Empty || found.Clean || !found.SameBoot {
		t.Fatalf("after a kill: %+v", found)
	}
	d.check(x.Snapshot())
	kill(x)
	if _, found = Open(Options{Dir: dir, Validity: 8, BootID: "next"}); !found.Empty {
		t.Fatalf("with another UIDVALIDITY: %+v", found)
	}
}

// TestUnchanged: opening and closing writes nothing.
func TestUnchanged(t *testing.T) {
	dir := t.TempDir()
	x, _ := open(t, dir)
	d := newDriver(t, 1, x)
	d.fill(3)
	d.x.Close(d.stamp)
	fsys := &safefile.Faulty{FS: safefile.OS}
	x, found := Open(Options{Dir: dir, FS: fsys, Validity: 7, BootID: "next"})
	x.Stamp(d.stamp)
	x.Close(d.stamp)
	if n := fsys.Ops(); n != 0 || !found.Clean {
		t.Errorf("%d operations, %+v", n, found)
	}
}

// TestOneWrite: a batch is one write.
func TestOneWrite(t *testing.T) {
	fsys := &safefile.Faulty{FS: safefile.OS}
	x, _ := Open(Options{Dir: filepath.Join(t.TempDir(), "a", "b"), FS: fsys, Validity: 7})
	d := newDriver(t, 1, x)
	d.fill(3)
	x.work.Wait()
	d.step(1, 0, 0)
	before := fsys.Ops()
	d.step(2, 1, 50)
	if n := fsys.Ops() - before; n != 1 {
		t.Errorf("%d operations", n)
	}
	x.Close(d.stamp)
}

// TestCheckpoint grows the log until it is written anew, again and again.
func TestCheckpoint(t *testing.T) {
	dir := t.TempDir()
	x, _ := open(t, dir)
	d := newDriver(t, 1, x)
	d.fill(100)
	for x.Snapshot().Len() < 9000 {
		d.step(5, 0, 40)
	}
	x.work.Wait()
	if x.checkpoints < 3 {
		t.Errorf("%d checkpoints", x.checkpoints)
	}
	if info, err := os.Stat(x.path(listName)); err != nil || info.Size() > x.list.table+max(minLog, x.list.table/8)+4096 {
		t.Errorf("%v, %v", info, err)
	}
	kill(x)
	x, found := open(t, dir)
	if !found.SameBoot {
		t.Errorf("%+v", found)
	}
	d.check(x.Snapshot())
}

// TestLongLog: a batch that is too long for the log, and a log that is long at
// Close, go into a new table.
func TestLongLog(t *testing.T) {
	dir := t.TempDir()
	x, _ := open(t, dir)
	d := newDriver(t, 1, x)
	d.fill(20_000)
	x.work.Wait()
	d.step(0, 0, 1500)
	if n := x.list.size - x.list.table; n < minLog {
		t.Fatalf("a log of %d octets", n)
	}
	x.Close(d.stamp)
	d.x, _ = open(t, dir)
	if n := d.x.list.size - d.x.list.table; n > 100 {
		t.Errorf("a log of %d octets after Close", n)
	}
	d.x.list.table -= 32 << 20 // as if the log were long
	d.step(1, 1, 1)
	d.x.work.Wait()
	if d.x.checkpoints != 1 || d.x.list.size != d.x.list.table {
		t.Errorf("%d checkpoints", d.x.checkpoints)
	}
	kill(d.x)
	x, found := open(t, dir)
	if !found.SameBoot {
		t.Errorf("%+v", found)
	}
	d.check(x.Snapshot())

	if err := os.Truncate(filepath.Join(dir, listName), 1<<40); err != nil {
		t.Skip("no sparse files: ", err)
	}
	x, found = open(t, dir)
	if found.Empty || found.SameBoot || found.Clean {
		t.Errorf("with a hole behind: %+v", found)
	}
	d.check(x.Snapshot())
}

// TestBatchesDuringCheckpoint makes batches while a checkpoint is written.
func TestBatchesDuringCheckpoint(t *testing.T) {
	for _, reset := range []bool{false, true} {
		dir := t.TempDir()
		var d *driver
		once := false
		fsys := &safefile.Faulty{FS: safefile.OS, Fail: func(op safefile.Op) error {
			// The lock is not held, and the writer waits: the batches are those of one writer.
			if op.Kind == "create" && !once {
				once = true
				d.step(3, 2, 5)
				if reset {
					d.fill(30)
				}
				d.step(3, 2, 5)
			}
			return nil
		}}
		x, _ := Open(Options{Dir: dir, FS: unlockedFS{fsys}, Validity: 7, BootID: "boot"})
		d = newDriver(t, 1, x)
		d.fill(50)
		x.work.Wait()
		d.step(1, 0, 0)
		kill(x)
		y, found := open(t, dir)
		if !found.SameBoot || found.Stamp != d.stamp {
			t.Errorf("%+v", found)
		}
		d.check(y.Snapshot())
	}
}

// unlockedFS calls Fail of a Faulty without its lock.
type unlockedFS struct{ *safefile.Faulty }

func (u unlockedFS) Create(path string) (safefile.File, error) {
	if err := u.Fail(safefile.Op{Kind: "create", Path: path}); err != nil {
		return nil, err
	}
	return u.FS.Create(path)
}

// disk is a file layer that calls back before each operation.
func (d *driver) openOn(dir string, before func(op safefile.Op) error, now func() time.Time) Found {
	fsys := &safefile.Faulty{FS: safefile.OS, Fail: before}
	x, found := Open(Options{Dir: dir, FS: fsys, Validity: 7, BootID: "boot", Now: now})
	d.x = x
	return found
}

// TestKill opens, at each operation of a workload, what is on disk just then: it
// is the state of the last batch that was published, or nothing.
func TestKill(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	d := newDriver(t, 1, memory())
	empty, same := 0, 0
	published := ""
	check := func(op safefile.Op) error {
		os.RemoveAll(other)
		if err := os.CopyFS(other, os.DirFS(dir)); err != nil {
			t.Error(err)
		}
		x, found := Open(Options{Dir: other, Validity: 7, BootID: "boot"})
		switch {
		case found.Empty:
			empty++
		case !found.SameBoot || contents(x.Snapshot()) != published:
			t.Errorf("before %v: found %+v, and not what was published last", op, found)
		default:
			same++
		}
		kill(x)
		return nil
	}
	d.openOn(dir, check, nil)
	note := func(s *Snapshot) {
		d.x.work.Wait()
		published = contents(s)
	}
	note(d.fill(40))
	for i := range 60 {
		if i == 30 {
			note(d.fill(20))
		}
		note(d.step(4, 2, 30))
		if i%10 == 9 {
			d.x.Close(d.stamp)
			d.openOn(dir, check, nil)
		}
	}
	if empty > 12 || same < 50 {
		t.Errorf("%d times empty, %d times the state", empty, same)
	}
	d.x.Close(d.stamp)
}

// TestDisk has each operation of a workload fail, alone or with all that follow.
// Memory stays right; what is found afterwards is the newest state, or nothing,
// or it is not taken for whole.
func TestDisk(t *testing.T) {
	errDisk := errors.New("disk full")
	for _, lasting := range []bool{false, true} {
		for fail, done := 1, false; !done; fail++ {
			dir := t.TempDir()
			n := 0
			clock := time.Unix(0, 0)
			d := newDriver(t, 1, memory())
			d.openOn(dir, func(op safefile.Op) error {
				n++
				if n == fail || lasting && n > fail && op.Kind != "remove" {
					return errDisk
				}
				return nil
			}, func() time.Time { return clock })
			d.fill(5)
			for range 6 {
				d.x.work.Wait()
				d.check(d.step(1, 1, 3))
				d.x.PutEntry(1, "name", nil)
				clock = clock.Add(2 * time.Second)
			}
			d.x.work.Wait()
			killed := fail%2 == 0
			if killed {
				kill(d.x)
			} else {
				d.x.Close(d.stamp)
			}
			done = n < fail
			x, found := open(t, dir)
			if !found.Empty && (contents(x.Snapshot()) != contents(d.x.Snapshot()) || found.Stamp != d.stamp || !found.SameBoot) {
				t.Errorf("operation %d (lasting %v) failed: found %+v", fail, lasting, found)
			}
			if !found.Empty && !lasting && !killed && !found.Clean {
				t.Errorf("operation %d failed: not clean: %+v", fail, found)
			}
		}
	}
}

// TestHeals: a list that could not be written is there again after a while.
func TestHeals(t *testing.T) {
	dir := t.TempDir()
	clock := time.Unix(0, 0)
	full := false
	d := newDriver(t, 1, memory())
	d.openOn(dir, func(op safefile.Op) error {
		if full && op.Kind != "remove" {
			return os.ErrPermission
		}
		return nil
	}, func() time.Time { return clock })
	d.fill(5)
	d.x.work.Wait()
	full = true
	d.step(1, 1, 1)
	d.x.work.Wait()
	if _, err := os.Stat(filepath.Join(dir, listName)); err == nil {
		t.Fatal("a list that is out of date is left")
	}
	full = false
	d.step(1, 1, 1)
	d.x.work.Wait()
	if _, err := os.Stat(filepath.Join(dir, listName)); err == nil {
		t.Fatal("it was tried again at once")
	}
	clock = clock.Add(retryAfter)
	d.step(1, 1, 1)
	kill(d.x)
	x, found := open(t, dir)
	if !found.SameBoot {
		t.Fatalf("%+v", found)
	}
	d.check(x.Snapshot())
}

// TestMeddling has someone remove, cut and overwrite the files of an open index.
func TestMeddling(t *testing.T) {
	for name, meddle := range map[string]func(dir string) error{
		"removed list":      func(dir string) error { return os.Remove(filepath.Join(dir, listName)) },
		"removed directory": os.RemoveAll,
		"cut list":          func(dir string) error { return os.Truncate(filepath.Join(dir, listName), 30) },
		"empty list":        func(dir string) error { return os.Truncate(filepath.Join(dir, listName), 0) },
		"garbage":           func(dir string) error { return os.WriteFile(filepath.Join(dir, listName), make([]byte, 500), 0o600) },
		"a directory": func(dir string) error {
			os.Remove(filepath.Join(dir, listName))
			return os.MkdirAll(filepath.Join(dir, listName, "x"), 0o700)
		},
	} {
		for _, opened := range []bool{false, true} {
			for _, killed := range []bool{false, true} {
				dir := filepath.Join(t.TempDir(), "index")
				x, _ := open(t, dir)
				d := newDriver(t, 1, x)
				d.fill(50)
				d.step(1, 1, 1)
				kill(d.x)
				d.x, _ = open(t, dir)
				if opened {
					d.step(2, 2, 2)
				}
				if err := meddle(dir); err != nil {
					t.Fatal(err)
				}
				d.check(d.step(2, 2, 2))
				d.x.work.Wait()
				d.check(d.step(2, 2, 2))
				if killed {
					kill(d.x)
				} else {
					d.x.Close(d.stamp)
				}
				y, found := open(t, dir)
				if found.Empty {
					if !killed && name != "a directory" {
						t.Errorf("%s (opened %v): empty after Close", name, opened)
					}
					continue
				}
				if !found.SameBoot || found.Clean == killed {
					t.Errorf("%s (opened %v, killed %v): %+v", name, opened, killed, found)
				}
				d.check(y.Snapshot())
			}
		}
	}
}

func TestDrop(t *testing.T) {
	dir := t.TempDir()
	x, _ := open(t, dir)
	d := newDriver(t, 1, x)
	d.fill(5)
	x.PutEntry(1, "name", nil)
	x.Drop()
	if left, err := os.ReadDir(dir); len(left) > 0 || err != nil {
		t.Errorf("%v, %v", left, err)
	}
	d.check(x.Snapshot())
}
