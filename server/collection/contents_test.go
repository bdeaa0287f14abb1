package collection

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"facteur/server/fault"
)

// check compares what is counted with what there is.
func (m *contents) check() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	sum := 0
	for _, r := range m.queue {
		k := r.content.Load()
		if k == nil {
			return fmt.Errorf("%q has no content and is listed", r.Href)
		}
		sum += k.octets()
	}
	if sum != m.octets || sum > maxContents {
		return fmt.Errorf("%d octets in memory, really %d", m.octets, sum)
	}
	return nil
}

// What is in memory is told as long as the file is as it was, and whatever else is done to it
// is seen at once. The text in memory is made another one here, to tell where an answer is from.
func TestContents(t *testing.T) {
	const kept, altered, memory = "UID:a\nPROP:1", "UID:a\nPROP:2", "UID:a\nPROP:3"
	overwrite := func(f *fixture) { f.ok(os.WriteFile(f.cal.path("a.ics"), []byte(altered), 0o600)) }
	for _, c := range []struct {
		name, want string
		do         func(*fixture)
	}{
		{"nothing", memory, func(*fixture) {}},
		{"another object is put", memory, func(f *fixture) { f.put("b.ics", "UID:b") }},
		{"put with the same octets", memory, func(f *fixture) { f.put("a.ics", kept) }},
		{"put", altered, func(f *fixture) { f.put("a.ics", altered) }},
		{"another mode", kept, func(f *fixture) { f.ok(os.Chmod(f.cal.path("a.ics"), 0o640)) }},
		{"written in place with the same octets", kept, func(f *fixture) { f.ok(os.WriteFile(f.cal.path("a.ics"), []byte(kept), 0o600)) }},
		{"written in place", altered, overwrite},
		{"written in place, and its time set back", altered, func(f *fixture) {
			st, err := os.Stat(f.cal.path("a.ics"))
			f.ok(err)
			overwrite(f)
			f.ok(os.Chtimes(f.cal.path("a.ics"), st.ModTime(), st.ModTime()))
		}},
		{"written in place, and its time set back, while the server was down", altered, func(f *fixture) {
			st, err := os.Stat(f.cal.path("a.ics"))
			f.ok(err)
			f.ok(f.store.Close())
			overwrite(f)
			f.ok(os.Chtimes(f.cal.path("a.ics"), st.ModTime(), st.ModTime()))
			f.open()
		}},
		{"replaced", altered, func(f *fixture) { f.foreign("a.ics", altered) }},
		{"replaced by one of the same time", altered, func(f *fixture) {
			st, err := os.Stat(f.cal.path("a.ics"))
			f.ok(err)
			other := filepath.Join(f.dir, "other")
			f.ok(os.WriteFile(other, []byte(altered), 0o600))
			f.ok(os.Chtimes(other, st.ModTime(), st.ModTime()))
			f.ok(os.Rename(other, f.cal.path("a.ics")))
		}},
		{"removed", "gone", func(f *fixture) { f.ok(os.Remove(f.cal.path("a.ics"))) }},
		{"deleted", "gone", func(f *fixture) { f.ok(f.cal.Remove("a.ics", Condition{})) }},
		{"deleted and put", altered, func(f *fixture) {
			f.ok(f.cal.Remove("a.ics", Condition{}))
			f.put("a.ics", altered)
		}},
		{"moved", "gone", func(f *fixture) {
			_, _, err := f.cal.Move("a.ics", MoveOptions{To: f.cal, Href: "b.ics"})
			f.ok(err)
			f.want("at its new place", f.text(f.cal, "b.ics"), kept)
		}},
		{"another one moved to it", altered, func(f *fixture) {
			work, err := f.home.Create("work", Calendar, Props{})
			f.ok(err)
			_, _, err = work.Put("b.ics", []byte(altered), Condition{})
			f.ok(err)
			_, _, err = work.Move("b.ics", MoveOptions{To: f.cal, Href: "a.ics", Overwrite: true})
			f.ok(err)
		}},
		{"the collection is renamed", memory, func(f *fixture) {
			f.ok(f.home.Rename("calendar", "other"))
			data, _, err := f.cal.Read("a.ics")
			f.want("in between", fmt.Sprint(string(data), err), memory+"<nil>")
			f.ok(f.home.Rename("other", "calendar"))
		}},
		{"the collection is deleted", "gone", func(f *fixture) {
			f.ok(f.home.Delete("calendar"))
			_, err := f.home.Create("calendar", Calendar, Props{})
			f.ok(err)
		}},
		{"let go", kept, func(f *fixture) {
			f.store.contents.forget()
			f.store.contents.forget()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t)
			f.put("a.ics", kept)
			f.want("before", f.text(f.cal, "a.ics"), kept)
			r := f.cal.find("a.ics")
			r.content.Load().data = []byte(memory)
			c.do(f)
			defer func() { // what the fixture checks must be true
				if k := r.content.Load(); k != nil && string(k.data) == memory {
					k.data = []byte(kept)
				}
			}()
			data, e, err := f.cal.Read("a.ics")
			if c.want == "gone" {
				f.isFault("read", err, fault.NotFound)
				_, _, err = f.cal.Get("a.ics")
				f.isFault("get", err, fault.NotFound)
				return
			}
			f.ok(err)
			f.want("read", string(data), c.want)
			if c.want == memory {
				return
			}
			if e.ETag != hash(data) {
				t.Errorf("the tag is %s, of the octets %s", e.ETag, hash(data))
			}
			f.want("once more", f.text(f.cal, "a.ics"), c.want)
		})
	}
}

// A report that is under way goes on when its collection gets another directory.
func TestReaderOfMovedDirectory(t *testing.T) {
	f := newFixture(t)
	f.put("a.ics", "UID:a")
	d := f.cal.Reader()
	defer d.Close()
	_, _, err := d.Read("a.ics")
	f.ok(err)
	dir := f.cal.path("")
	f.ok(os.Rename(dir, dir+".old"))
	f.ok(os.Mkdir(dir, 0o700))
	f.ok(os.WriteFile(f.cal.path("a.ics"), []byte("UID:a\nPROP:restored"), 0o600))
	f.ok(os.RemoveAll(dir + ".old"))
	data, e, err := d.Read("a.ics")
	f.ok(err)
	f.want("restored", string(data), "UID:a\nPROP:restored")
	if e.ETag != hash(data) {
		t.Errorf("the tag is %s", e.ETag)
	}
	f.ok(os.WriteFile(f.cal.path("displayname"), []byte("Calendar\n"), 0o600))
}

// What is in memory is bounded, and what was read stays longest.
func TestContentsBound(t *testing.T) {
	f := newFixture(t)
	f.put("read.ics", "UID:read")
	f.put("not.ics", "UID:not")
	large := "UID:%d\nX:" + strings.Repeat("x", maxContent-20)
	fits := maxContents / (maxContent + fixedContent)
	for i := range fits + 10 {
		f.put(fmt.Sprintf("%d.ics", i), fmt.Sprintf(large, i))
		f.want("read", f.text(f.cal, "read.ics"), "UID:read")
		f.ok(f.store.contents.check())
	}
	has := func(href string) bool { return f.cal.find(href).content.Load() != nil }
	if !has("read.ics") || has("not.ics") || has("0.ics") || !has(fmt.Sprintf("%d.ics", fits+9)) {
		t.Errorf("in memory: read %v, not read %v, first %v", has("read.ics"), has("not.ics"), has("0.ics"))
	}
	f.put("large.ics", fmt.Sprintf(large, -1)+strings.Repeat("x", 100))
	if f.text(f.cal, "large.ics"); has("large.ics") {
		t.Error("a large object is in memory")
	}
	d := f.cal.Reader()
	data, _, err := d.Look("not.ics")
	f.ok(err)
	if string(data) != "UID:not" || has("not.ics") {
		t.Errorf("%q that is only looked at is in memory: %v", data, has("not.ics"))
	}
	d.Close()
	f.store.contents.forget()
	f.ok(f.store.contents.check())
	if !has("read.ics") || f.store.contents.octets > 1000 {
		t.Errorf("after a while: %d octets", f.store.contents.octets)
	}
	if f.store.contents.forget(); f.store.contents.octets != 0 {
		t.Errorf("after a long while: %d octets", f.store.contents.octets)
	}
}

// Whoever changes an object while others read it, ours or another program: each gets the
// octets of the tag.
func TestContentsRace(t *testing.T) {
	f := newFixture(t, func(f *fixture) { f.opt.Log = nil })
	f.put("a.ics", "UID:a")
	stop := make(chan struct{})
	var writers, readers sync.WaitGroup
	for w := range 2 {
		writers.Go(func() {
			for i := range 200 {
				data := fmt.Sprintf("UID:a\nPROP:%d %03d", w, i)
				if w == 0 {
					f.foreign("a.ics", data)
				} else if _, _, err := f.cal.Put("a.ics", []byte(data), Condition{}); err != nil && !errors.Is(err, errBusy) {
					t.Error(err)
				}
			}
		})
	}
	for range 3 {
		readers.Go(func() {
			d := f.cal.Reader()
			defer d.Close()
			for {
				select {
				case <-stop:
					return
				default:
				}
				data, e, err := d.Read("a.ics")
				if err == nil && (e.ETag != hash(data) || e.Size != int64(len(data))) {
					t.Errorf("%q has the tag %s and %d octets", data, e.ETag, e.Size)
				} else if err != nil && !errors.Is(err, errBusy) {
					t.Error(err)
				}
				f.store.contents.forget()
			}
		})
	}
	writers.Wait()
	close(stop)
	readers.Wait()
	f.ok(f.store.contents.check())
	f.ahead.Add(int64(time.Minute))
}
