package msgindex

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"facteur/server/maildir"
)

// small makes a list with each kind of frame in its log. states are the
// contents that there were at the end of each frame, and the state of the table.
func small(t testing.TB) (list []byte, states map[string]bool) {
	dir := t.TempDir()
	x, _ := open(t, dir)
	d := newDriver(t, 5, x)
	states = map[string]bool{}
	note := func() { states[contents(d.x.Snapshot())] = true }
	d.fill(4)
	d.step(1, 1, 0)
	d.x.Close(d.stamp)
	os.Remove(filepath.Join(dir, listName))
	d.x.list = nil
	l, err := d.x.writeList(d.x.Snapshot(), d.x.newHeader())
	if err != nil {
		t.Fatal(err)
	}
	if err := d.x.install(l); err != nil {
		t.Fatal(err)
	}
	kill(d.x)
	d.x, _ = Open(Options{Dir: dir, Validity: 7, BootID: "boot"})
	note()
	d.step(0, 0, 2)
	note()
	b := d.x.Begin()
	r := *d.x.Snapshot().At(0)
	d.m.modSeq++
	r.Flags, r.ModSeq = maildir.Seen, d.m.modSeq
	d.m.recs[0] = r
	b.Change(0, r)
	d.commit(b)
	note()
	d.x.Stamp(maildir.Stamp{New: 1, Cur: 2})
	kill(d.x)
	d.x, _ = Open(Options{Dir: dir, Validity: 7, BootID: "next"})
	d.step(2, 2, 1)
	note()
	d.x.Close(maildir.Stamp{New: 3, Cur: 4})
	if list, err = os.ReadFile(filepath.Join(dir, listName)); err != nil {
		t.Fatal(err)
	}
	return list, states
}

// TestDamage cuts a list at each octet, flips bits of each, and adds garbage:
// what is found is a state of before that is not taken for clean, or nothing.
func TestDamage(t *testing.T) {
	list, states := small(t)
	if len(states) != 4 {
		t.Fatalf("%d states", len(states))
	}
	dir := t.TempDir()
	found := map[string]int{}
	try := func(list []byte, what string, at int, cut bool) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, listName), list, 0o600); err != nil {
			t.Fatal(err)
		}
		x, f := Open(Options{Dir: dir, Validity: 7, BootID: "next"})
		defer kill(x)
		if f.Empty {
			found["empty"]++
			if x.Snapshot().Len() != 0 {
				t.Errorf("%s at %d: empty with messages", what, at)
			}
			return
		}
		found["a state"]++
		if f.Clean || f.SameBoot && !cut || !states[contents(x.Snapshot())] {
			t.Errorf("%s at %d: found %+v", what, at, f)
		}
	}
	for at := range list {
		try(list[:at], "cut", at, true)
		for _, mask := range []byte{1, 0x80, 0xff} {
			flipped := bytes.Clone(list)
			flipped[at] ^= mask
			try(flipped, "flipped", at, false)
		}
		zeroed := append(bytes.Clone(list[:at]), make([]byte, len(list)-at)...)
		if !bytes.Equal(zeroed, list) {
			try(zeroed, "zeroed from", at, false)
		}
	}
	for _, garbage := range []string{"\x00", "a", "\x00\x00\x00\x00\x00\x00\x00\x00\x00", string(list[:50]), string(list[len(list)-25:])} {
		try(append(bytes.Clone(list), garbage...), "garbage", len(list), false)
	}
	if found["empty"] < 100 || found["a state"] < 100 {
		t.Errorf("%v", found)
	}
}

// TestGoesOn: after each cut, what is committed then is found again.
func TestGoesOn(t *testing.T) {
	list, _ := small(t)
	for at := 0; at <= len(list); at += 7 {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, listName), list[:at], 0o600); err != nil {
			t.Fatal(err)
		}
		x, found := Open(Options{Dir: dir, Validity: 7, BootID: "boot"})
		d := newDriver(t, 1, x)
		if found.Empty {
			d.fill(3)
		} else {
			s := x.Snapshot()
			for _, r := range s.Range(0, s.Len()) {
				d.m.recs = append(d.m.recs, *r)
			}
			d.m.modSeq, d.m.next = s.highest, s.next
		}
		d.step(1, 1, 1)
		x.work.Wait()
		d.step(1, 1, 1)
		kill(x)
		y, found := open(t, dir)
		if !found.SameBoot {
			t.Fatalf("cut at %d: %+v", at, found)
		}
		d.check(y.Snapshot())
	}
}
