package collection

import (
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"facteur/server/safefile"
	"facteur/server/testkit"
)

// story runs operations on a store and notes after each what was acknowledged, and
// the token that a client had then.
type story struct {
	*fixture
	rec    *safefile.Recorder
	told   map[string]string // "collection/href" to octets
	states []moment
}

// moment is what was acknowledged when so many operations had been done.
type moment struct {
	ops   int
	told  map[string]string
	token SyncToken // of the calendar
}

func newStory(t *testing.T) *story {
	s := &story{told: make(map[string]string)}
	s.fixture = newFixture(t, func(f *fixture) {
		s.rec = safefile.NewRecorder(f.dir)
		f.opt.FS = s.rec
		f.same = true // replaying makes other directories
	})
	s.note()
	return s
}

func (s *story) note() {
	s.states = append(s.states, moment{s.rec.Len(), maps.Clone(s.told), s.snapshot(s.cal).Token()})
}

func (s *story) put(col, href, data string) {
	_, _, err := s.collection(col).Put(href, []byte(data), Condition{})
	s.ok(err)
	s.told[col+"/"+href] = data
	s.note()
}

func (s *story) remove(col, href string) {
	s.ok(s.collection(col).Remove(href, Condition{}))
	delete(s.told, col+"/"+href)
	s.note()
}

func (s *story) move(col, href, toCol, to string) {
	_, _, err := s.collection(col).Move(href, MoveOptions{To: s.collection(toCol), Href: to, Overwrite: true})
	s.ok(err)
	s.told[toCol+"/"+to] = s.told[col+"/"+href]
	delete(s.told, col+"/"+href)
	s.note()
}

func (s *story) rename(from, to string) {
	s.ok(s.home.Rename(from, to))
	for k, v := range maps.Clone(s.told) {
		if href, ok := strings.CutPrefix(k, from+"/"); ok {
			delete(s.told, k)
			s.told[to+"/"+href] = v
		}
	}
	s.note()
}

func (s *story) delete(col string) {
	s.ok(s.home.Delete(col))
	maps.DeleteFunc(s.told, func(k, _ string) bool { return strings.HasPrefix(k, col+"/") })
	s.note()
}

// undelete brings everything back but what is there under another name by now.
func (s *story) undelete() {
	_, err := s.store.Undelete(alice, time.Time{}, "")
	s.ok(err)
	for _, name := range []string{"calendar", "play", "work"} {
		c, err := s.home.Open(name)
		if err != nil {
			continue
		}
		for e := range s.snapshot(c).All() {
			s.told[name+"/"+e.Href] = s.text(c, e.Href)
		}
	}
	s.note()
}

// observed is what is there after a crash.
type observed struct {
	objects map[string]string
	store   *Store
	cal     *Collection
}

// observe opens the store in a directory, and returns what is there.
func observe(t *testing.T, dir, boot string) (o observed) {
	t.Helper()
	s, err := Open(Options{
		Dir: filepath.Join(dir, "domains"), Tmp: filepath.Join(dir, "tmp"), FS: safefile.Unsynced{FS: safefile.OS},
		Index: index,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.identity = func(dir string) (string, error) { _, err := identityOf(dir); return "same", err }
	if boot != "" {
		s.bootID = boot
	}
	o = observed{objects: make(map[string]string), store: s}
	h, err := s.Home(alice)
	if err != nil {
		t.Fatal(err)
	}
	all, err := h.Collections()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		snap, err := c.Snapshot()
		if err != nil {
			t.Fatalf("%s: %v", c.Name(), err)
		}
		for e := range snap.All() {
			r, _, err := c.Get(e.Href)
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(r)
			r.Close()
			if err != nil || e.Broken {
				t.Errorf("%s/%s: %q, %v", c.Name(), e.Href, b, err)
			}
			o.objects[c.Name()+"/"+e.Href] = string(b)
		}
		if c.Name() == "calendar" {
			o.cal = c
		}
	}
	if err := h.Check(); err != nil {
		t.Error(err)
	}
	return o
}

// synced applies what changed since a token to what a client had then.
func (o observed) synced(had map[string]string, token SyncToken) (map[string]string, error) {
	snap, err := o.cal.Snapshot()
	if err != nil {
		return nil, err
	}
	c, err := snap.Changes(token, 0)
	if err != nil {
		return nil, err
	}
	has := make(map[string]string)
	for k, v := range had {
		if strings.HasPrefix(k, "calendar/") {
			has[k] = v
		}
	}
	for _, e := range c.Changed {
		has["calendar/"+e.Href] = o.objects["calendar/"+e.Href]
	}
	for _, href := range c.Removed {
		delete(has, "calendar/"+href)
	}
	return has, nil
}

// verify compares a state after a crash with what was acknowledged before it, and
// what the operation that ran then may have done. Every client that has a token
// either is refused or is brought to what is there.
func (s *story) verify(what, dir, boot string, n int) {
	s.Helper()
	i := slices.IndexFunc(s.states, func(m moment) bool { return m.ops > n })
	if i < 0 {
		i = len(s.states)
	}
	before := s.states[i-1].told
	after := before
	if i < len(s.states) {
		after = s.states[i].told
	}
	o := observe(s.T, dir, boot)
	defer o.store.Close()
	for k, v := range o.objects {
		if v != before[k] && v != after[k] {
			s.Errorf("%s: %s is %q; acknowledged %q, then %q", what, k, v, before[k], after[k])
		}
	}
	for k, v := range before {
		_, there := o.objects[k]
		if _, stays := after[k]; !there && stays {
			s.Errorf("%s: %s is lost, which was %q", what, k, v)
		}
	}
	for j, m := range s.states[:i] {
		has, err := o.synced(m.told, m.token)
		if err == ErrToken {
			continue
		}
		now := maps.Clone(o.objects)
		maps.DeleteFunc(now, func(k, _ string) bool { return !strings.HasPrefix(k, "calendar/") })
		if err != nil || !maps.Equal(has, now) {
			s.Errorf("%s: a client of moment %d has %v, there is %v (%v)", what, j, has, now, err)
		}
	}
}

// After a crash at any operation, every object that was acknowledged is there with
// its octets, and no client that goes on from its token misses anything.
func TestCrash(t *testing.T) {
	s := newStory(t)
	s.put("calendar", "a.ics", "UID:a")
	s.put("calendar", "b.ics", "UID:b")
	s.put("calendar", "a.ics", "UID:a\nPROP:2")
	s.put("contacts", "c.vcf", "UID:c")
	s.remove("calendar", "b.ics")
	_, err := s.home.Create("work", Calendar, Props{DisplayName: "Work"})
	s.ok(err)
	s.move("calendar", "a.ics", "work", "x.ics")
	s.put("calendar", "d.ics", "UID:d")
	s.reopen()
	s.note()
	s.put("calendar", "e.ics", "UID:e")
	s.put("calendar", "d.ics", "UID:d\nPROP:2")
	s.move("work", "x.ics", "calendar", "x.ics")
	s.reopen()
	s.reopen()
	s.put("work", "y.ics", "UID:y")
	s.put("calendar", "f.ics", "UID:f")
	s.move("calendar", "f.ics", "calendar", "g.ics")
	s.ok(s.collection("work").SetProps(func(p *Props) error { p.Color = "#000000"; return nil }))
	s.remove("calendar", "e.ics")
	s.rename("work", "play")
	s.put("play", "z.ics", "UID:z")
	s.delete("play")
	s.undelete()
	s.ok(s.store.Close())
	s.open()

	random := rand.New(rand.NewPCG(1, 2))
	for n := s.states[0].ops; n <= s.rec.Len(); n++ {
		if testing.Short() && n%5 != 0 {
			continue
		}
		for _, c := range []struct {
			what, boot string
			written    func(string) bool
		}{
			{"power cut", "next", nil},
			{"kill", "", func(string) bool { return true }},
			{"power cut, some written out", "next", func(string) bool { return random.IntN(2) == 0 }},
			{"power cut, all written out", "next", func(string) bool { return true }},
		} {
			if c.boot != "" && c.written != nil && n%3 != 0 {
				continue
			}
			dir := t.TempDir()
			s.ok(s.rec.Replay(dir, n, c.written))
			s.verify(fmt.Sprintf("%s after operation %d", c.what, n), dir, c.boot, n)
			os.RemoveAll(dir)
			if t.Failed() {
				for i, op := range s.rec.Ops()[:n] {
					t.Log(i+1, op)
				}
				return
			}
		}
	}
}

// A home that is being made is made again after a crash.
func TestCrashOfFirstUse(t *testing.T) {
	s := newStory(t)
	for n := range s.states[0].ops {
		dir := t.TempDir()
		s.ok(s.rec.Replay(dir, n, nil))
		f := &fixture{T: t, dir: dir, opt: s.opt}
		f.opt.Dir, f.opt.Tmp, f.opt.FS = filepath.Join(dir, "domains"), filepath.Join(dir, "tmp"), safefile.Unsynced{FS: safefile.OS}
		f.open()
		p, err := f.cal.Props()
		f.want(fmt.Sprintf("after %d operations", n), fmt.Sprint(p.DisplayName, err), "Calendar<nil>")
		f.collection("contacts")
		f.check()
		f.ok(f.store.Close())
		os.RemoveAll(dir)
	}
}

// Several at once: at every moment what was acknowledged is there.
func TestCrashConcurrent(t *testing.T) {
	s := newStory(t)
	type ack struct {
		ops        int
		href, data string
	}
	var mu sync.Mutex
	var acks []ack
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 20 {
				href := fmt.Sprintf("%d-%d.ics", w, i)
				if _, _, err := s.cal.Put(href, []byte("UID:"+href), Condition{Absent: true}); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				acks = append(acks, ack{s.rec.Len(), "calendar/" + href, "UID:" + href})
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for n := s.states[0].ops; n <= s.rec.Len(); n += 7 {
		dir := t.TempDir()
		s.ok(s.rec.Replay(dir, n, nil))
		o := observe(t, dir, "next")
		for _, a := range acks {
			if a.ops <= n && o.objects[a.href] != a.data {
				t.Errorf("after %d: %s is %q, acknowledged as %q", n, a.href, o.objects[a.href], a.data)
			}
		}
		o.store.Close()
		os.RemoveAll(dir)
	}
}

func TestMain(m *testing.M) {
	testkit.Main(m, func(args []string) error { return putForever(args[0]) })
}

// TestKilled kills a process that puts objects from several goroutines, and looks
// for all that it acknowledged, by name and by token.
func TestKilled(t *testing.T) {
	f := newFixture(t, func(f *fixture) { f.opt.FS = safefile.OS })
	_, token := f.changes("")
	f.ok(f.store.Close())
	acked := make(map[string]string)
	for range 3 {
		for _, line := range testkit.Kill(t, 201, f.dir) {
			href, data, _ := strings.Cut(line, " ")
			acked[href] = data
		}
		f.open()
		for href, data := range acked {
			// The second one may be there, and its acknowledgement lost with the process.
			if got := f.text(f.cal, href); got != data && got != data+"+" {
				t.Errorf("%s is %q, acknowledged as %q", href, got, data)
			}
		}
		c, err := f.snapshot(f.cal).Changes(token, 0)
		f.ok(err)
		changed := make(map[string]bool)
		for _, e := range c.Changed {
			changed[e.Href] = true
		}
		for href := range acked {
			if !changed[href] {
				t.Errorf("%s is not among what changed", href)
			}
		}
		f.ok(f.store.Close())
	}
	f.open()
}

// putForever puts objects until the process ends, and prints what was acknowledged.
func putForever(dir string) error {
	s, err := Open(Options{Dir: filepath.Join(dir, "domains"), Tmp: filepath.Join(dir, "tmp"), Index: index})
	if err != nil {
		return err
	}
	h, err := s.Home(alice)
	if err != nil {
		return err
	}
	c, err := h.Open("calendar")
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				href := fmt.Sprintf("%d-%d-%d.ics", os.Getpid(), w, i/2)
				data := "PROP:" + href + strings.Repeat("+", i%2) // each is put twice
				if _, _, err := c.Put(href, []byte(data), Condition{}); err != nil {
					panic(err)
				}
				fmt.Println(href, data)
			}
		})
	}
	wg.Wait()
	return nil
}
