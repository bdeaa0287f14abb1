package msgindex

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"facteur/server/maildir"
	"facteur/server/safefile"
)

// text is the summary of a message in tests, of a length that differs.
func text(uid UID) []byte {
	return bytes.Repeat(fmt.Appendf(nil, "summary of %d ", uid), 1+int(uid*7919%97))
}

// put makes a mailbox of n messages with an entry each.
func put(t testing.TB, x *Index, n int) {
	t.Helper()
	b := x.Begin()
	b.Reset(nil)
	for uid := UID(1); int(uid) <= n; uid++ {
		ref, err := x.PutEntry(uid, fmt.Sprint("name", uid), text(uid))
		if err != nil {
			t.Fatal(err)
		}
		b.Append(Record{UID: uid, Entry: ref})
	}
	b.Commit(Commit{ModSeq: 1})
}

// good tells whether the entry of a message is there; one that is there must be
// that of the message.
func good(t testing.TB, e *Entries, r *Record) bool {
	t.Helper()
	name, summary, ok := e.Entry(r)
	if ok && (string(name) != fmt.Sprint("name", r.UID) || !bytes.Equal(summary, text(r.UID))) {
		t.Fatalf("the entry of UID %d is %q, %q", r.UID, name, summary)
	}
	return ok
}

// countGood reads all entries in an order.
func countGood(t testing.TB, x *Index, step int) (n int) {
	t.Helper()
	e, s := x.Entries(), x.Snapshot()
	defer e.Close()
	for i := range s.Len() {
		if good(t, e, s.At(i*step%s.Len())) {
			n++
		}
	}
	return n
}

func TestEntries(t *testing.T) {
	dir := t.TempDir()
	x, _ := open(t, dir)
	if _, _, ok := x.Entries().Entry(&Record{UID: 1, Entry: newRef(24, 100)}); ok {
		t.Error("an entry without a cache")
	}
	put(t, x, 1009)
	for range 2 {
		for _, step := range []int{1, 1008, 17, 500} {
			if n := countGood(t, x, step); n != 1009 {
				t.Errorf("step %d: %d of 1009", step, n)
			}
		}
		kill(x)
		x, _ = open(t, dir)
	}
	e := x.Entries()
	defer e.Close()
	first := *x.Snapshot().At(0)
	for _, r := range []Record{
		{UID: 1}, {UID: 2, Entry: first.Entry}, {UID: 1, Entry: first.Entry + 1}, {UID: 1, Entry: first.Entry - 1},
		{UID: 1, Entry: newRef(first.Entry.offset()+1, first.Entry.Len())},
		{UID: 1, Entry: newRef(maxOffset, first.Entry.Len())}, {UID: 1, Entry: newRef(maxOffset, 1<<refLenBits-1)},
		{UID: 1, Entry: newRef(0, 24)},
	} {
		if _, _, ok := e.Entry(&r); ok {
			t.Errorf("an entry for %+v", r)
		}
	}
}

func TestEntrySizes(t *testing.T) {
	x, _ := open(t, t.TempDir())
	e := x.Entries()
	defer e.Close()
	for _, n := range []int{0, 1, windowSize - entryHead - 1, windowSize - entryHead, windowSize, 1 << 20, maxEntry - entryHead - 1} {
		summary := bytes.Repeat([]byte{'s'}, n)
		ref, err := x.PutEntry(9, "n", summary)
		if err != nil {
			t.Fatal(n, err)
		}
		name, got, ok := e.Entry(&Record{UID: 9, Entry: ref})
		if !ok || string(name) != "n" || !bytes.Equal(got, summary) {
			t.Errorf("%d octets: %v", n, ok)
		}
	}
	if _, err := x.PutEntry(9, "n", make([]byte, maxEntry)); err == nil {
		t.Error("an entry above the bound")
	}
	if _, err := x.PutEntry(9, strings.Repeat("n", 1<<16), nil); err == nil {
		t.Error("a name above the bound")
	}
}

// TestEntryReads: in order, 64 KiB are one read.
func TestEntryReads(t *testing.T) {
	x, _ := open(t, t.TempDir())
	put(t, x, 2000)
	c := &countingFile{File: x.cache.file}
	x.cache.file = c
	if n := countGood(t, x, 1); n != 2000 {
		t.Fatal(n)
	}
	if most := int(x.cache.size/(windowSize-2048)) + 3; c.reads > most {
		t.Errorf("%d reads of %d octets, at most %d", c.reads, x.cache.size, most)
	}
}

type countingFile struct {
	safefile.File
	reads int
}

func (c *countingFile) ReadAt(b []byte, at int64) (int, error) {
	c.reads++
	return c.File.ReadAt(b, at)
}

// TestEntryWhilePut reads entries as they are put by several goroutines.
func TestEntryWhilePut(t *testing.T) {
	x, _ := open(t, t.TempDir())
	refs := make(chan Record, 64)
	var puts, reads sync.WaitGroup
	for g := range 3 {
		puts.Go(func() {
			for i := range 300 {
				uid := UID(1 + g + 3*i)
				ref, err := x.PutEntry(uid, fmt.Sprint("name", uid), text(uid))
				if err != nil {
					t.Error(err)
				}
				refs <- Record{UID: uid, Entry: ref}
			}
		})
	}
	for range 2 {
		reads.Go(func() {
			e := x.Entries()
			defer e.Close()
			for r := range refs {
				if !good(t, e, &r) {
					t.Errorf("no entry of UID %d", r.UID)
				}
			}
		})
	}
	puts.Wait()
	close(refs)
	reads.Wait()
}

// TestCacheDamage cuts and flips a cache at each octet: each entry is there, or
// not at all; those before a cut are.
func TestCacheDamage(t *testing.T) {
	dir := t.TempDir()
	x, _ := open(t, dir)
	b := x.Begin()
	b.Reset(nil)
	for uid := UID(1); uid <= 5; uid++ {
		ref, err := x.PutEntry(uid, fmt.Sprint("name", uid), text(uid)[:20])
		if err != nil {
			t.Fatal(err)
		}
		b.Append(Record{UID: uid, Entry: ref})
	}
	s := b.Commit(Commit{ModSeq: 1})
	x.Close(maildir.Stamp{New: 1})
	path := filepath.Join(dir, cacheName)
	cache, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	there := func() (uids []UID) {
		x, _ := Open(Options{Dir: dir, Validity: 7, BootID: "boot"})
		defer kill(x)
		e := x.Entries()
		defer e.Close()
		for _, r := range s.Range(0, s.Len()) {
			if name, summary, ok := e.Entry(r); ok {
				if string(name) != fmt.Sprint("name", r.UID) || !bytes.Equal(summary, text(r.UID)[:20]) {
					t.Fatalf("UID %d: %q, %q", r.UID, name, summary)
				}
				uids = append(uids, r.UID)
			}
		}
		return uids
	}
	for at := range cache {
		if err := os.WriteFile(path, cache[:at], 0o600); err != nil {
			t.Fatal(err)
		}
		want := 0
		for _, r := range s.Range(0, s.Len()) {
			if r.Entry.offset()+int64(r.Entry.Len()) <= int64(at) {
				want++
			}
		}
		if uids := there(); len(uids) != want {
			t.Errorf("cut at %d: %v", at, uids)
		}
		for _, mask := range []byte{1, 0xff} {
			flipped := bytes.Clone(cache)
			flipped[at] ^= mask
			if err := os.WriteFile(path, flipped, 0o600); err != nil {
				t.Fatal(err)
			}
			want := 4
			if at < cacheHeader {
				want = 0
			}
			if uids := there(); len(uids) != want {
				t.Errorf("flipped at %d: %v", at, uids)
			}
		}
	}
}

// TestCacheMeddling has someone remove, cut and overwrite the cache of an open
// index. What is put later is found.
func TestCacheMeddling(t *testing.T) {
	for name, meddle := range map[string]func(path string) error{
		"removed": os.Remove,
		"cut":     func(path string) error { return os.Truncate(path, 5000) },
		"emptied": func(path string) error { return os.Truncate(path, 0) },
		"garbage": func(path string) error { return os.WriteFile(path, make([]byte, 5000), 0o600) },
	} {
		dir := t.TempDir()
		x, _ := open(t, dir)
		put(t, x, 50)
		if err := meddle(filepath.Join(dir, cacheName)); err != nil {
			t.Fatal(err)
		}
		countGood(t, x, 1) // notices it
		put(t, x, 50)
		if n := countGood(t, x, 1); n != 50 {
			t.Errorf("%s: %d entries", name, n)
		}
		kill(x)
		x, _ = open(t, dir)
		if n := countGood(t, x, 1); n != 50 && name != "removed" {
			t.Errorf("%s: %d entries when opened again", name, n)
		}
		put(t, x, 50)
		if n := countGood(t, x, 1); n != 50 {
			t.Errorf("%s: %d entries in the end", name, n)
		}
	}
}

// TestCacheDisk has each operation fail: PutEntry returns an error then, and no
// entry is wrong.
func TestCacheDisk(t *testing.T) {
	errDisk := errors.New("disk full")
	failed := 0
	for fail, done := 1, false; !done; fail++ {
		n := 0
		clock := time.Unix(0, 0)
		fsys := &safefile.Faulty{FS: safefile.OS, Fail: func(safefile.Op) error {
			if n++; n == fail {
				return errDisk
			}
			return nil
		}}
		x, _ := Open(Options{Dir: filepath.Join(t.TempDir(), "index"), FS: fsys, Validity: 7, Now: func() time.Time { return clock }})
		e := x.Entries()
		for uid := UID(1); uid < 6; uid++ {
			ref, err := x.PutEntry(uid, fmt.Sprint("name", uid), text(uid))
			if err != nil {
				failed++
				if ref != 0 {
					t.Error("a Ref with an error")
				}
			} else if !good(t, e, &Record{UID: uid, Entry: ref}) {
				t.Errorf("operation %d failed: no entry of UID %d", fail, uid)
			}
			clock = clock.Add(retryAfter)
		}
		e.Close()
		done = n < fail
		kill(x)
	}
	if failed < 5 {
		t.Errorf("%d failures", failed)
	}
}

// TestCompact removes most messages and compacts while others are added and
// changed.
func TestCompact(t *testing.T) {
	dir := t.TempDir()
	x, _ := open(t, dir)
	put(t, x, 3000)
	old := x.Snapshot()
	reader := x.Entries()
	defer reader.Close()
	good(t, reader, old.At(5))
	if x.CompactDue() {
		t.Error("due without garbage")
	}
	var lock sync.Mutex
	b := x.Begin()
	for i := range 2500 {
		b.Remove(i)
	}
	before := b.Commit(Commit{ModSeq: 2})
	if !x.CompactDue() {
		t.Error("not due with garbage")
	}
	uid := UID(3001)
	if err := x.Compact(lockFunc{func() { // what comes before the lock is had
		for range 100 {
			ref, _ := x.PutEntry(uid, fmt.Sprint("name", uid), text(uid))
			b := x.Begin()
			b.Append(Record{UID: uid, Entry: ref})
			r := *b.base.At(int(uid) % 400)
			r.Flags ^= 4
			b.Change(int(uid)%400, r)
			b.Remove(450)
			b.Commit(Commit{ModSeq: ModSeq(uid)})
			uid++
		}
		lock.Lock()
	}, lock.Unlock}); err != nil {
		t.Fatal(err)
	}
	s := x.Snapshot()
	if s.Len() != 500 || countGood(t, x, 1) != 500 {
		t.Errorf("%d messages, %d entries", s.Len(), countGood(t, x, 1))
	}
	// What went during the Compact may have been copied.
	if info, err := os.Stat(x.path(cacheName)); err != nil || info.Size() > s.cached*3/2 || x.CompactDue() {
		t.Errorf("%v, %v; needed are %d", info, err, s.cached)
	}
	if got, want := Diff(before, s), naiveDiff(before, s); !reflect.DeepEqual(got, want) || len(got.Changed) == 0 {
		t.Errorf("Diff is %v, want %v", got, want)
	}
	if !good(t, reader, old.At(6)) || !good(t, reader, s.At(6)) {
		t.Error("a reader of before has lost an entry, or finds no new one")
	}
	kill(x)
	x, found := open(t, dir)
	if !found.SameBoot || contents(x.Snapshot()) != contents(s) || countGood(t, x, 1) != 500 {
		t.Errorf("%+v, %d entries", found, countGood(t, x, 1))
	}
}

// lockFunc is a lock that does something else too.
type lockFunc struct{ lock, unlock func() }

func (l lockFunc) Lock()   { l.lock() }
func (l lockFunc) Unlock() { l.unlock() }

// TestCompactDisk has each operation of a Compact fail, and opens what each
// leaves: no entry is wrong, and those that stay are found.
func TestCompactDisk(t *testing.T) {
	for fail, done := 1, false; !done; fail++ {
		dir := t.TempDir()
		n := -1 << 30
		fsys := &safefile.Faulty{FS: safefile.OS, Fail: func(safefile.Op) error {
			if n++; n == fail {
				return os.ErrPermission
			}
			return nil
		}}
		x, _ := Open(Options{Dir: dir, FS: fsys, Validity: 7, BootID: "boot"})
		put(t, x, 100)
		x.work.Wait()
		n = 0
		err := x.Compact(&sync.Mutex{})
		x.work.Wait()
		done = n < fail
		if got := countGood(t, x, 1); got != 100 {
			t.Errorf("operation %d failed (%v): %d entries", fail, err, got)
		}
		kill(x)
		y, _ := open(t, dir)
		countGood(t, y, 1)
	}
}

// TestTogether has a writer, readers, checkpoints and compactions at once; the
// race detector watches.
func TestTogether(t *testing.T) {
	dir := t.TempDir()
	x, _ := open(t, dir)
	put(t, x, 400)
	var mu sync.Mutex // of the writer
	stop := make(chan struct{})
	var readers, compact sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for seen := x.Snapshot(); ; {
				select {
				case <-stop:
					return
				default:
				}
				e, s := x.Entries(), x.Snapshot()
				for _, r := range s.Range(s.Len()/2, s.Len()) {
					good(t, e, r)
				}
				e.Close()
				if c := Diff(seen, s); seen.Len()-len(c.Gone)+c.Added != s.Len() {
					t.Errorf("Diff is %v", c)
				}
				seen = s
			}
		})
	}
	compact.Go(func() {
		for range 5 {
			if err := x.Compact(&mu); err != nil {
				t.Error(err)
			}
		}
	})
	for range 800 {
		mu.Lock()
		s := x.Snapshot()
		b, uid := x.Begin(), s.UIDNext()
		ref, err := x.PutEntry(uid, fmt.Sprint("name", uid), text(uid))
		if err != nil {
			t.Error(err)
		}
		b.Append(Record{UID: uid, ModSeq: s.HighestModSeq() + 1, Entry: ref})
		b.Remove(int(uid) % s.Len())
		b.Commit(Commit{ModSeq: s.HighestModSeq() + 1})
		mu.Unlock()
	}
	compact.Wait()
	close(stop)
	readers.Wait()
	if n := countGood(t, x, 1); n != 400 {
		t.Errorf("%d entries", n)
	}
	x.Close(maildir.Stamp{New: 1})
	y, found := open(t, dir)
	if !found.Clean || contents(y.Snapshot()) != contents(x.Snapshot()) || countGood(t, y, 1) != 400 {
		t.Errorf("%+v, %d entries", found, countGood(t, y, 1))
	}
}
