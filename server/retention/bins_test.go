package retention

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/safefile"
)

// all returns the names of what is there of alice, of all kinds, oldest first.
func (w *world) all() string {
	w.Helper()
	list, err := w.account.list()
	w.ok(err)
	names := make([]string, len(list))
	for i, t := range list {
		names[i] = t.kind + "/" + filepath.Base(t.Place)
	}
	return strings.Join(names, " ")
}

func (w *world) hasAll(what, want string) {
	w.Helper()
	if got := w.all(); got != want {
		w.Errorf("%s: %q, want %q", what, got, want)
	}
}

// The oldest of all kinds go first; accounts have nothing to do with each other.
func TestKindsShareTheQuota(t *testing.T) {
	w := newWorld(t)
	w.quota = 100
	bins := map[string]*Bin[Thing]{"box": w.Bin, "shelf": w.add("shelf").Bin(alice)}
	bobs := w.add("shelf").Bin(bob)
	for i, c := range []struct {
		kind string
		size int
		left string
	}{
		{"box", 40, "box/0"},
		{"shelf", 40, "box/0 shelf/1"},
		{"box", 20, "box/0 shelf/1 box/2"},
		{"shelf", 1, "shelf/1 box/2 shelf/3"}, // a thing of the other kind went
		{"box", 60, "box/2 shelf/3 box/4"},    // one of its own
		{"box", 100, "box/5"},                 // all but itself
		{"shelf", 101, ""},                    // more than the quota: of no use
		{"shelf", 1, "shelf/7"},
	} {
		w.now = w.now.Add(10 * time.Hour) // several days
		w.keep = 1000 * time.Hour
		w.put(bins[c.kind], fmt.Sprint(i), c.size)
		w.settle()
		w.put(bobs, fmt.Sprint(i), 5)
		w.settle()
		w.hasAll(fmt.Sprint("after ", i), c.left)
	}
	if all, err := bobs.List(); len(all) != 8 || err != nil {
		t.Errorf("of bob: %v, %v", all, err)
	}
	w.quota = 0
	w.now = w.now.Add(10 * time.Hour)
	w.put(w.Bin, "8", 1000)
	w.now = w.now.Add(1000 * time.Hour)
	w.put(w.Bin, "9", 1000)
	w.settle()
	w.hasAll("without a quota", "shelf/7 box/8 box/9")
	w.ok(w.bins.Purge(alice))
	w.hasAll("by days alone", "box/8 box/9")
}

// What can't be listed is left out, what can't be removed stays; neither costs anything else.
func TestBroken(t *testing.T) {
	w := newWorld(t)
	w.quota = 100
	shelf := w.add("shelf").Bin(alice)
	w.put(w.Bin, "0", 50)
	w.settle()
	failure := errors.New("the shelf is broken")
	w.broken = func(kind, _ string) error {
		if kind == "shelf" {
			return failure
		}
		return nil
	}
	w.now = w.now.Add(time.Minute)
	w.put(shelf, "1", 90)
	w.settle()
	w.now = w.now.Add(time.Minute)
	w.delete("2", 60)
	w.has("what can be listed", "2")
	if err := w.bins.Purge(alice); !errors.Is(err, failure) || !strings.Contains(w.log.String(), failure.Error()) {
		t.Errorf("%v; the log has %q", err, w.log.String())
	}
	w.broken = nil
	w.ok(w.bins.Purge(alice))
	w.hasAll("when it is whole again", "box/2")

	w.stuck = "2"
	w.now = w.now.Add(time.Minute)
	w.put(shelf, "3", 30)
	w.delete("4", 60)
	w.hasAll("what can't be removed", "box/2 box/4 shelf/3")
	before := w.listed["box"]
	w.delete("5", 1)
	if w.listed["box"] != before {
		t.Error("it is tried again at each deletion")
	}
	w.stuck = ""
	w.ok(w.bins.Purge(alice))
	w.hasAll("at the next purge", "box/4 box/5 shelf/3")
}

// A deletion lists nothing while there is room, and not each time when there is none.
func TestFewListings(t *testing.T) {
	w := newWorld(t)
	w.quota = 16_000
	const each = 10
	for i := range 3200 { // twice the quota
		w.delete(fmt.Sprint(i), each)
		w.now = w.now.Add(time.Millisecond)
		if i == 1599 && w.listed["box"] != 1 {
			t.Errorf("listed %d times until the quota is full", w.listed["box"])
		}
	}
	// 100 things are a sixteenth.
	if n := w.listed["box"]; n > 1+1600/100+1 {
		t.Errorf("listed %d times for 1600 deletions", n)
	}
	if all, err := w.List(); err != nil || len(all) > 1600 || len(all) < 1500 {
		t.Errorf("%d are there, %v", len(all), err)
	}
}

// A Kind of the same name takes the place of the former: a store that is opened again.
func TestAddAgain(t *testing.T) {
	w := newWorld(t)
	w.quota = 25
	w.delete("a", 10)
	again := w.add("box").Bin(alice)
	w.put(again, "b", 10)
	w.settle()
	w.hasAll("nothing counts twice", "box/a box/b")
	if w.Bin.use != again.use {
		t.Error("they have different locks")
	}
}

// What comes while a purge lists counts, whether it was listed or not.
func TestGrowsMeanwhile(t *testing.T) {
	w := newWorld(t)
	w.quota = 100
	shelf := w.add("shelf").Bin(alice)
	w.put(w.Bin, "0", 60)
	w.settle()
	times := 0
	w.broken = func(kind, _ string) error {
		if times++; kind == "shelf" && times == 2 { // box was listed
			w.now = w.now.Add(time.Second)
			w.put(w.Bin, "2", 90)
		}
		return nil
	}
	w.now = w.now.Add(time.Second)
	w.put(shelf, "1", 50)
	w.settle()
	w.hasAll("purged again", "box/2")
	if times < 4 {
		t.Errorf("asked %d times for a day", times)
	}
}

// Many delete, look, bring back and purge at once: in the end there is no more than the
// quota, and what is counted is there.
func TestRace(t *testing.T) {
	const quota, each, rounds = 10_000, 100, 60
	dir := t.TempDir()
	b := New(Options{Dir: dir, Keep: func(address.Address) (time.Duration, int64) { return time.Hour, quota }})
	defer b.Close()
	var work sync.WaitGroup
	for _, name := range []string{"a", "b", "c"} {
		kind := Add(b, name, func(d Day) ([]Thing, error) { return things(d, name) })
		for _, who := range []address.Address{alice, bob} {
			for worker := range 2 {
				work.Go(func() { disturb(t, kind.Bin(who), worker, rounds, each) })
			}
			work.Go(func() {
				for range 5 {
					if err := b.Purge(who); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	work.Wait()
	b.work.Wait()
	for _, who := range []address.Address{alice, bob} {
		a := b.account(who)
		all, err := a.list()
		if err != nil {
			t.Fatal(err)
		}
		sum := int64(0)
		for _, thing := range all {
			sum += thing.Size
		}
		if sum == 0 || sum > quota || sum > a.octets || a.octets > quota || a.busy {
			t.Errorf("%s: %d octets are there, %d counted; busy: %v", who, sum, a.octets, a.busy)
		}
	}
}

// disturb puts things into a Bin, and takes some back.
func disturb(t *testing.T, b *Bin[Thing], worker, rounds, size int) {
	for i := range rounds {
		dir, err := b.Today(b.kind.name)
		if err == nil {
			done := b.Fill()
			err = os.WriteFile(filepath.Join(dir, fmt.Sprint(worker, "-", i)), make([]byte, size), 0o600)
			done()
		}
		b.Grew(int64(size))
		if err == nil && i%20 == 0 {
			err = b.Use(func(all []Thing) error {
				if len(all) == 0 {
					return nil
				}
				return os.Remove(slices.MaxFunc(all, func(x, y Thing) int { return x.At.Compare(y.At) }).Place)
			})
		}
		if err != nil {
			t.Error(err)
		}
	}
}

// After a crash nothing is counted: the first deletion has it done.
func TestRestart(t *testing.T) {
	w := newWorld(t)
	w.delete("0", 100)
	former := w.bins
	w.quota = 50
	w.bins = New(former.opt)
	t.Cleanup(w.bins.Close)
	w.Bin = w.add("box").Bin(alice)
	w.now = w.now.Add(time.Minute)
	w.delete("1", 1)
	w.has("after a restart", "1")
}

// A folder that is moved while a purge lists it is counted anew.
func TestMovedMeanwhile(t *testing.T) {
	w := newWorld(t)
	w.quota = 100
	times := 0
	w.broken = func(string, string) error {
		if times++; times == 1 {
			w.Forget()
		}
		return nil
	}
	w.delete("0", 10)
	if times != 2 || !w.account.counted {
		t.Errorf("listed %d times; counted: %v", times, w.account.counted)
	}
}

// What a deletion costs when the quota is full does not grow with what is there.
func BenchmarkDeletion(b *testing.B) {
	for _, n := range []int{1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			fsys := safefile.Unsynced{FS: safefile.OS}
			bins := New(Options{Dir: b.TempDir(), FS: fsys, Keep: func(address.Address) (time.Duration, int64) { return time.Hour, int64(n) }})
			bin := Add(bins, "box", func(d Day) ([]Thing, error) { return things(d, "box") }).Bin(alice)
			serial := 0
			put := func() {
				dir, err := bin.Today("box")
				if err == nil {
					err = os.WriteFile(filepath.Join(dir, fmt.Sprint(serial)), []byte{0}, 0o600)
				}
				if serial++; err != nil {
					b.Fatal(err)
				}
				bin.Grew(1)
			}
			for range n {
				put()
			}
			bins.work.Wait()
			for b.Loop() {
				put()
			}
			bins.Close()
		})
	}
}
