package collection

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"facteur/server/address"
	"facteur/server/safefile"
)

// overs are what puts a.ics in the place of m.ics.
func overs() map[string]func(f *fixture, to *Collection) error {
	return map[string]func(f *fixture, to *Collection) error{
		"copy": func(f *fixture, to *Collection) error {
			_, _, err := f.cal.Copy("a.ics", MoveOptions{To: to, Href: "m.ics", Overwrite: true})
			return err
		},
		"move": func(f *fixture, to *Collection) error {
			_, _, err := f.cal.Move("a.ics", MoveOptions{To: to, Href: "m.ics", Overwrite: true})
			return err
		},
	}
}

// over makes a.ics of the calendar, with properties, and m.ics of another, of alice or bob.
func over(f *fixture, of address.Address, there string) *Collection {
	home, err := f.store.Home(of)
	f.ok(err)
	work, err := home.Create("work", Calendar, Props{})
	f.ok(err)
	f.put("a.ics", "UID:a")
	_, _, err = work.Put("m.ics", []byte(there), Condition{})
	f.ok(err)
	f.ok(f.cal.SetObjectProps("a.ics", func(p map[string]string) error { p["a"] = "1"; return nil }))
	f.ok(work.SetObjectProps("m.ics", func(p map[string]string) error { p["m"] = "1"; return nil }))
	return work
}

// TestOver: an object takes the place of one with its UID, as Put does, and of no other (RFC 4791
// 5.3.2.1, RFC 6352 6.3.2.1).
func TestOver(t *testing.T) {
	for name, do := range overs() {
		for _, of := range []address.Address{alice, bob} {
			for _, c := range []struct{ there, err, is, props string }{
				{"UID:a\nPROP:old", "<nil>", "UID:a", "map[a:1]"},
				{"UID:m", `the UID is that of "m.ics"`, "UID:m", "map[m:1]"},
			} {
				t.Run(fmt.Sprint(name, " ", of, " ", c.there), func(t *testing.T) {
					f := newFixture(t)
					work := over(f, of, c.there)
					f.want("it is answered", fmt.Sprint(do(f, work)), c.err)
					f.want("there is", f.text(work, "m.ics"), c.is)
					f.want("its properties", fmt.Sprint(must(work.ObjectProps("m.ics"))), c.props)
					if name == "copy" || c.err != "<nil>" {
						f.want("the source", f.text(f.cal, "a.ics"), "UID:a")
						f.want("its properties", fmt.Sprint(must(f.cal.ObjectProps("a.ics"))), "map[a:1]")
					} else {
						f.want("the calendar", f.list(f.cal), "")
					}
					f.want("deleted", fmt.Sprint(len(must(f.store.Deleted(alice))), len(must(f.store.Deleted(bob)))), "0 0")
				})
			}
		}
	}
}

// TestOverBeside: in one collection nothing takes the place of another object.
func TestOverBeside(t *testing.T) {
	for name, do := range overs() {
		f := newFixture(t)
		f.put("a.ics", "UID:a")
		f.put("m.ics", "UID:m")
		var conflict *UIDConflict
		if err := do(f, f.cal); !errors.As(err, &conflict) {
			t.Errorf("%s: %v", name, err)
		}
		f.want("there is", f.text(f.cal, "a.ics")+" "+f.text(f.cal, "m.ics"), "UID:a UID:m")
	}
}

// TestOverFullDisk: the disk is full at one operation, whichever it is.
func TestOverFullDisk(t *testing.T) {
	const old = "UID:a\nPROP:old"
	for name, do := range overs() {
		for n := 0; ; n++ {
			r := newTrial(t)
			work := over(r.fixture, alice, old)
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
			err := do(r.fixture, work)
			r.fault.Store(nil)
			failed := last.Load()
			if failed == nil {
				if n < 3 {
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
			is := r.text(work, "m.ics")
			if made := failed.Kind == "syncdir" && is == "UID:a"; !made && (is != old || r.text(r.cal, "a.ics") != "UID:a") {
				t.Errorf("%s: there is %q", what, is)
			}
		}
	}
}
