package scheduling

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"facteur/server/collection"
	"facteur/server/fault"
	"facteur/server/safefile"
)

// TestTransferFullDisk: the disk is full at one operation of a COPY or MOVE over a meeting, with another version
// of it: when it fails, what was there is, and nobody is told; else it is done.
func TestTransferFullDisk(t *testing.T) {
	old := meeting("m1", "office@example.org", "guest@example.com")
	newer := strings.Replace(old, "SUMMARY:Plan", "SUMMARY:Newer", 1)
	for _, move := range []bool{false, true} {
		refused := 0
		for n := 0; ; n++ {
			var armed atomic.Bool
			var last atomic.Pointer[safefile.Op]
			seen := -1 // with the lock of faulty held
			faulty := &safefile.Faulty{FS: safefile.Unsynced{FS: safefile.OS}, Fail: func(op safefile.Op) error {
				if !armed.Load() {
					return nil
				}
				if seen++; seen != n {
					return nil
				}
				last.Store(&op)
				if op.Kind == "remove" {
					return nil
				}
				return &os.PathError{Op: op.Kind, Path: op.Path, Err: unix.ENOSPC}
			}}
			w := worldIn(t, t.TempDir(), faulty)
			w.keep("office", "x.ics", old)
			w.keep("bob", "x.ics", newer)
			w.event("bob", "m1")
			armed.Store(true)
			_, err := w.transfer(move)
			armed.Store(false)
			failed := last.Load()
			if failed == nil {
				if n < 10 || refused == 0 {
					t.Errorf("%d operations, %d failed", n, refused)
				}
				w.close()
				break
			}
			w.settle()
			w.pass(firstRetry)
			w.settle()
			mail := strings.Join(w.takeMail(), ", ")
			is := fmt.Sprintf("move %t, operation %d (%v), %v: the office has %q, bob has it %t, mail %q",
				move, n, *failed, err, w.event("office", "m1"), w.event("bob", "m1") != "", mail)
			arrived, left := strings.Contains(w.event("office", "m1"), "SUMMARY:Newer"), w.event("bob", "m1") == ""
			switch {
			case err == nil && (mail != "guest@example.com REQUEST" || !arrived || left != move):
				t.Error("it is not all done: ", is)
			case err != nil && failed.Kind != "syncdir" && (arrived || left):
				t.Error("it is half done: ", is)
			case err != nil && mail != "":
				t.Error("it is told: ", is)
			}
			if err != nil {
				refused++
			}
			same(t, "tasks left after "+is, w.tasks(), 0)
			w.close()
		}
	}
}

// TestTransferWithinHome: a meeting that takes the place of another version of it in its home is an update of that,
// and the source goes unheard, though it can't be removed at first, also not before a restart.
func TestTransferWithinHome(t *testing.T) {
	old := meeting("m1", "bob@example.org", "guest@example.com")
	for _, restart := range []bool{false, true} {
		var stuck atomic.Bool
		dir := t.TempDir()
		w := worldIn(t, dir, &safefile.Faulty{FS: safefile.Unsynced{FS: safefile.OS}, Fail: func(op safefile.Op) error {
			if stuck.Load() && op.Kind != "write" && strings.HasSuffix(op.Path, "bob/calendars/more/y.ics") {
				return &os.PathError{Op: op.Kind, Path: op.Path, Err: unix.ENOSPC}
			}
			return nil
		}})
		home, err := w.homes.Own(addr("bob@example.org"))
		if err != nil {
			t.Fatal(err)
		}
		more, err := home.Create("more", collection.Calendar, collection.Props{})
		if err != nil {
			t.Fatal(err)
		}
		w.keep("bob", "x.ics", old)
		if _, _, err := more.Put("y.ics", []byte(strings.Replace(old, "SUMMARY:Plan", "SUMMARY:Newer", 1)), collection.Condition{}); err != nil {
			t.Fatal(err)
		}
		stuck.Store(true)
		r, err := w.transfer(true, func(t *Transfer) {
			t.From.Collection, t.From.Href, t.To.Collection = more, "y.ics", w.calendar("bob", "bob")
		})
		if err != nil || r.Created {
			t.Fatalf("%+v %v", r, err)
		}
		if _, err := more.Entry("y.ics"); err != nil {
			t.Errorf("the source could be removed: %v", err)
		}
		stuck.Store(false)
		same(t, "mail", strings.Join(w.takeMail(), " "), "guest@example.com REQUEST")
		if restart {
			w.close()
			w = worldIn(t, dir, nil)
		} else {
			w.pass(firstRetry)
		}
		w.settle()
		same(t, "mail after it", len(w.takeMail()), 0)
		same(t, "it is in one place", w.href("bob", "m1"), "x.ics")
		if _, err := w.calendar("bob", "bob/more").Entry("y.ics"); !fault.Is(err, fault.NotFound) {
			t.Errorf("its source: %v", err)
		}
		if e := w.event("bob", "m1"); !strings.Contains(e, "SUMMARY:Newer") {
			t.Errorf("there is %s", e)
		}
		same(t, "tasks left", w.tasks(), 0)
	}
}
