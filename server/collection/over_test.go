package collection

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"facteur/server/address"
	"facteur/server/fault"
	"facteur/server/safefile"
)

// overs are what puts a.ics in the place of m.ics, which has another UID.
func overs() map[string]func(f *fixture) error {
	return map[string]func(f *fixture) error{
		"copy": func(f *fixture) error {
			_, _, err := f.cal.Copy("a.ics", MoveOptions{To: f.collection("work"), Href: "m.ics", Overwrite: true})
			return err
		},
		"move": func(f *fixture) error {
			_, _, err := f.cal.Move("a.ics", MoveOptions{To: f.collection("work"), Href: "m.ics", Overwrite: true})
			return err
		},
		"replace": func(f *fixture) error {
			_, _, err := f.collection("work").Replace("m.ics", []byte("UID:a"), Condition{})
			return err
		},
	}
}

// over makes a.ics of the calendar and m.ics of another.
func over(f *fixture) *Collection {
	work, err := f.home.Create("work", Calendar, Props{})
	f.ok(err)
	f.put("a.ics", "UID:a")
	_, _, err = work.Put("m.ics", []byte("UID:m"), Condition{})
	f.ok(err)
	f.ok(work.SetObjectProps("m.ics", func(p map[string]string) error { p["old"] = "m"; return nil }))
	return work
}

// TestOver: what takes the place of another object does so at once, and the other can be brought back.
func TestOver(t *testing.T) {
	for name, do := range overs() {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			work := over(f)
			f.ok(do(f))
			f.want("there is", f.text(work, "m.ics"), "UID:a")
			f.want("by its UID", fmt.Sprint(len(must(work.ByUID("a"))), len(must(work.ByUID("m")))), "1 0")
			f.want("its properties", len(must(work.ObjectProps("m.ics"))), "0")
			all := must(f.store.Deleted(alice))
			if len(all) != 1 || all[0].Href != "m.ics" {
				t.Errorf("%+v", all)
			}
		})
	}
}

// TestOverRefused: what fails takes nothing away.
func TestOverRefused(t *testing.T) {
	f := newFixture(t, func(f *fixture) {
		f.opt.Room = func(_ address.Address, grows int64) error {
			if grows > 10 {
				return fault.New(fault.OverQuota, "")
			}
			return nil
		}
	})
	work := over(f)
	_, _, err := work.Replace("m.ics", []byte("UID:a\nPROP:of many octets"), Condition{})
	f.isFault("quota", err, fault.OverQuota)
	_, _, err = work.Replace("m.ics", []byte("BAD:"), Condition{})
	f.isFault("a mistake", err, fault.Malformed)
	_, _, err = work.Replace("m.ics", []byte("UID:x"), Condition{Absent: true})
	f.is("a condition", err, ErrCondition)
	_, _, err = f.cal.Move("a.ics", MoveOptions{To: work, Href: "m.ics", Overwrite: true, Over: Condition{Match: []ETag{`"x"`}}})
	f.is("a condition of what is there", err, ErrCondition)
	_, _, err = work.Put("y.ics", []byte("UID:y"), Condition{})
	f.ok(err)
	_, _, err = work.Replace("m.ics", []byte("UID:y"), Condition{})
	f.want("a UID in use", err, `the UID is that of "y.ics"`)
	f.want("there is", f.text(work, "m.ics"), "UID:m")
	f.want("deleted", len(must(f.store.Deleted(alice))), "0")
}

// TestOverFullDisk: the disk is full at one operation, whichever it is.
func TestOverFullDisk(t *testing.T) {
	for name, do := range overs() {
		for n := 0; ; n++ {
			r := newTrial(t)
			work := over(r.fixture)
			seen := -1 // with the lock of faulty held
			var last atomic.Pointer[safefile.Op]
			fail := func(op safefile.Op) error {
				if seen++; seen != n {
					return nil
				}
				last.Store(&op)
				if op.Kind == "remove" { // what removes can't find the disk full
					return nil
				}
				return &os.PathError{Op: op.Kind, Path: op.Path, Err: unix.ENOSPC}
			}
			r.fault.Store(&fail)
			err := do(r.fixture)
			r.fault.Store(nil)
			failed := last.Load()
			if failed == nil {
				if n < 5 {
					t.Errorf("%s: only %d operations", name, n)
				}
				break
			}
			what := fmt.Sprintf("%s, %d: %v", name, n, *failed)
			if err == nil {
				r.want(what, r.text(work, "m.ics"), "UID:a")
				continue
			}
			if !errors.Is(err, unix.ENOSPC) {
				t.Errorf("%s: %v", what, err)
			}
			is, kept := r.text(work, "m.ics"), len(must(r.store.Deleted(alice)))
			if made := failed.Kind == "syncdir" && is == "UID:a"; !made && (is != "UID:m" || kept != 0 || r.text(r.cal, "a.ics") != "UID:a") {
				t.Errorf("%s: there is %q, and %d are deleted", what, is, kept)
			}
		}
	}
}
