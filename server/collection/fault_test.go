package collection

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"facteur/server/fault"
	"facteur/server/safefile"
)

// trial runs a fixed story on a store whose disk fails at some operation, and notes
// what may be at each place then ("": nothing).
type trial struct {
	*fixture
	faulty *safefile.Faulty
	works  atomic.Bool                             // nothing fails any more
	fault  atomic.Pointer[func(safefile.Op) error] // of faulty, when it has no other
	may    map[string][]string
	failed int
}

func newTrial(t *testing.T) *trial {
	r := &trial{faulty: &safefile.Faulty{FS: safefile.Unsynced{FS: safefile.OS}}, may: make(map[string][]string)}
	r.faulty.Fail = func(op safefile.Op) error {
		if fail := r.fault.Load(); fail != nil {
			return (*fail)(op)
		}
		return nil
	}
	r.fixture = newFixture(t, func(f *fixture) { f.opt.FS = r.faulty })
	return r
}

func (r *trial) result(what string, err error) bool {
	r.Helper()
	if err == nil {
		return true
	}
	r.failed++
	if !errors.Is(err, unix.ENOSPC) || !fault.Is(err, fault.Unavailable) {
		r.Errorf("%s: the error is %v", what, err)
	}
	return false
}

func (r *trial) now(key string) string {
	if may := r.may[key]; len(may) == 1 {
		return may[0]
	}
	return "?"
}

func (r *trial) set(key, data string, done bool) {
	if done {
		r.may[key] = []string{data}
	} else {
		r.may[key] = append(r.may[key], data)
		if len(r.may[key]) == 1 {
			r.may[key] = append(r.may[key], "")
		}
	}
}

func (r *trial) put(col, href, data string) {
	_, _, err := r.collection(col).Put(href, []byte(data), Condition{})
	r.set(col+"/"+href, data, r.result("put", err))
}

func (r *trial) remove(col, href string) {
	if key := col + "/" + href; r.now(key) != "?" {
		r.set(key, "", r.result("remove", r.collection(col).Remove(href, Condition{})))
	}
}

func (r *trial) move(col, href, toCol, to string) {
	key, toKey := col+"/"+href, toCol+"/"+to
	data := r.now(key)
	if data == "?" {
		return
	}
	_, _, err := r.collection(col).Move(href, MoveOptions{To: r.collection(toCol), Href: to, Overwrite: true})
	done := r.result("move", err)
	r.set(key, "", done)
	r.set(toKey, data, done)
}

func (r *trial) story() {
	r.put("calendar", "a.ics", "UID:a")
	r.put("calendar", "b.ics", "UID:b")
	r.put("calendar", "a.ics", "UID:a\nPROP:2")
	r.put("contacts", "c.vcf", "UID:c")
	r.remove("calendar", "b.ics")
	if _, err := r.home.Create("work", Calendar, Props{DisplayName: "Work"}); r.result("create", err) {
		r.move("calendar", "a.ics", "work", "x.ics")
		r.result("props", r.collection("work").SetProps(func(p *Props) error { p.Color = "#1"; p.Other["a"] = "b"; return nil }))
		r.put("work", "x.ics", "UID:a\nPROP:3")
	}
	r.put("calendar", "d.ics", "UID:d")
	r.cal.unload(0)
	r.put("calendar", "e.ics", "UID:e")
}

// verify looks at the store, and opens it anew on a disk that works.
func (r *trial) verify(what string) {
	r.Helper()
	for range 2 {
		all, err := r.home.Collections()
		r.ok(err)
		found := make(map[string]string)
		for _, c := range all {
			for e := range r.snapshot(c).All() {
				found[c.Name()+"/"+e.Href] = r.text(c, e.Href)
			}
		}
		for key, may := range r.may {
			if !slices.Contains(may, found[key]) {
				r.Errorf("%s: %s is %q, may be %q", what, key, found[key], may)
			}
			delete(found, key)
		}
		if len(found) > 0 {
			r.Errorf("%s: there is also %v", what, found)
		}
		r.check()
		r.reopen()
	}
}

// The disk is full for one operation, or from one on: the error is told, and nothing
// that was acknowledged is lost.
func TestFullDisk(t *testing.T) {
	whole := newTrial(t)
	begin := whole.faulty.Ops()
	whole.story()
	count := whole.faulty.Ops() - begin
	whole.verify("without a fault")
	if whole.failed != 0 || count < 40 {
		t.Fatal(whole.failed, count)
	}
	for _, dead := range []bool{false, true} {
		for n := range count {
			if testing.Short() && n%5 != 0 {
				continue
			}
			t.Run(fmt.Sprintf("dead=%v/%d", dead, n), func(t *testing.T) {
				r := newTrial(t)
				var failed atomic.Pointer[safefile.Op]
				seen := -1
				r.faulty.Fail = func(op safefile.Op) error {
					if seen++; !r.works.Load() && (seen == n || dead && seen > n && op.Kind != "remove") {
						failed.Store(&op)
						return &os.PathError{Op: op.Kind, Path: op.Path, Err: unix.ENOSPC}
					}
					return nil
				}
				r.story()
				r.works.Store(true)
				r.verify(fmt.Sprint(failed.Load()))
				for _, e := range must(os.ReadDir(r.opt.Tmp)) { // what could not be removed is at the next start
					t.Errorf("left: %s", e.Name())
				}
			})
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Clients that add to one object by turns, each on what it read: nothing is lost.
func TestConditionalPuts(t *testing.T) {
	f := newFixture(t)
	f.put("a.ics", "UID:a")
	const writers, each = 8, 25
	var refused atomic.Int64
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := 0; i < each; {
				r, e, err := f.cal.Get("a.ics")
				if err != nil {
					t.Error(err)
					return
				}
				data := make([]byte, e.Size)
				_, err = r.Read(data)
				r.Close()
				if err != nil || hash(data) != e.ETag {
					t.Errorf("read %q: %v", data, err)
					return
				}
				data = fmt.Appendf(data, "\nPROP:%d-%d", w, i)
				switch _, _, err = f.cal.Put("a.ics", data, Condition{Match: []ETag{e.ETag}}); {
				case err == nil:
					i++
				case err == ErrCondition:
					refused.Add(1)
				default:
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	text := f.text(f.cal, "a.ics")
	for w := range writers {
		for i := range each {
			if !strings.Contains(text+"\n", fmt.Sprintf("PROP:%d-%d\n", w, i)) {
				t.Errorf("the change %d-%d is lost", w, i)
			}
		}
	}
	t.Log("refused", refused.Load())
}

// Of several that make the same object, one does.
func TestOneCreates(t *testing.T) {
	f := newFixture(t)
	for i := range 20 {
		var made atomic.Int64
		var wg sync.WaitGroup
		for w := range 4 {
			wg.Go(func() {
				href := "a.ics"
				if w%2 == 1 {
					href = "b.ics" // with the same UID
				}
				_, created, err := f.cal.Put(href, []byte("UID:a"), Condition{Absent: true})
				var conflict *UIDConflict
				if created {
					made.Add(1)
				} else if err != ErrCondition && !errors.As(err, &conflict) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		f.want(fmt.Sprint("made in round ", i), made.Load(), "1")
		f.ok(f.cal.Remove(f.list(f.cal), Condition{}))
	}
}

// Everything at once, with scans, foreign programs, unloading and rewriting; the
// checks at the end say whether all is right. Clients that follow by token end with
// what is there.
func TestStress(t *testing.T) {
	f := newFixture(t)
	work, err := f.home.Create("work", Calendar, Props{})
	f.ok(err)
	stop := make(chan struct{})
	var followers, wg sync.WaitGroup
	for range 2 {
		followers.Go(func() {
			has := make(map[string]ETag)
			var token SyncToken
			for last := false; ; {
				s, err := f.cal.Snapshot()
				if err != nil {
					t.Error(err)
					return
				}
				c, err := s.Changes(token, 7)
				if err != nil {
					t.Error(err)
					return
				}
				for _, e := range c.Changed {
					has[e.Href] = e.ETag
				}
				for _, href := range c.Removed {
					delete(has, href)
				}
				token = c.Token
				if c.Truncated {
					continue
				}
				if len(has) != s.Len() {
					t.Errorf("a follower has %d objects of %d", len(has), s.Len())
					return
				}
				if last {
					return
				}
				select {
				case <-stop:
					last = true
				default:
				}
			}
		})
	}
	for w := range 4 {
		wg.Go(func() {
			for i := range 150 {
				href := fmt.Sprintf("%d-%d.ics", w, i%10)
				data := fmt.Appendf(nil, "UID:%s\nPROP:%d", href, i)
				var err error
				switch i % 5 {
				case 0, 1:
					_, _, err = f.cal.Put(href, data, Condition{})
				case 2:
					_, _, err = f.cal.Move(href, MoveOptions{To: work, Href: href, Overwrite: true})
				case 3:
					_, _, err = work.Move(fmt.Sprintf("%d-%d.ics", w, (i-1)%10), MoveOptions{To: f.cal, Href: href, Overwrite: true})
				case 4:
					err = f.cal.Remove(href, Condition{})
				}
				var conflict *UIDConflict
				if err != nil && !fault.Is(err, fault.NotFound) && !errors.As(err, &conflict) {
					t.Errorf("%d: %v", i%5, err)
				}
			}
		})
	}
	wg.Go(func() {
		for i := range 100 {
			f.ahead.Add(1e9)
			path := f.cal.path(fmt.Sprintf("foreign-%d.ics", i%7))
			if i%3 == 0 {
				os.Remove(path)
			} else if err := errors.Join(os.WriteFile(path+".tmp", fmt.Appendf(nil, "PROP:%d", i), 0o600), os.Rename(path+".tmp", path)); err != nil {
				t.Error(err)
			}
			if i%10 == 0 {
				f.cal.unload(0)
				work.unload(0)
			}
		}
	})
	wg.Wait()
	close(stop)
	followers.Wait()
	// The clock went on while scans ran, so they seem to have taken long, and the next one is
	// due after 50 times that: at most 100 s went by.
	f.ahead.Add(int64(50 * 100 * time.Second))
	f.later()
}
