package attachments

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"facteur/server/address"
	"facteur/server/collection"
	"facteur/server/fault"
	"facteur/server/ical"
	"facteur/server/itip"
	"facteur/server/safefile"
)

// TestAsLongAsNamed: an attachment is there while it is held or named.
func TestAsLongAsNamed(t *testing.T) {
	w := newWorld(t)
	a, b := w.add("a"), w.add("b")
	w.Release(alice, nil, []string{a.ID, b.ID}) // both are held
	if got := w.attached(); len(got) != 3 {
		t.Errorf("%s", got)
	}
	w.put(a)
	w.Release(alice, []string{a.ID, b.ID}, nil)
	if got := w.attached(); got != "a" {
		t.Errorf("%s", got)
	}
	// What was removed comes back for who holds it, under an old address too.
	w.ok(w.Hold(address.MustParse("old@example.org"), []string{a.ID, b.ID}))
	if got := w.octets(b.ID); got != "b" {
		t.Errorf("%s", got)
	}
	w.Release(alice, []string{a.ID, b.ID}, nil)
	err := w.Hold(alice, []string{a.ID, "aaaaaaaaaaaaaaaaaaaaaaaaaa"})
	if !fault.Is(err, fault.NotFound) {
		t.Errorf("%v", err)
	}
	w.put()
	w.Release(alice, nil, []string{a.ID})
	if got := w.attached(); got != "" {
		t.Errorf("%s", got)
	}
	c := w.add("c")
	w.Drop(c)
	list, err := w.Deleted(alice)
	w.ok(err)
	for _, r := range list {
		if octets, err := os.ReadFile(r.Place); err != nil || filepath.Base(r.Place) != "a.txt" || len(octets) != 1 || r.Size <= 1 {
			t.Errorf("%+v: %q, %v", r, octets, err)
		}
	}
	if deleted, err := w.files.Deleted(alice); err != nil || len(deleted) != 2 || len(list) != 2 || w.Hold(alice, []string{c.ID}) == nil {
		t.Errorf("%v, %v", deleted, err)
	}
}

// TestTidy: what nothing names for a while goes, what is named again comes back, and what
// another program is in the middle of stays.
func TestTidy(t *testing.T) {
	w := newWorld(t)
	tidy := func(pass time.Duration, want string) {
		t.Helper()
		w.pass(pass)
		w.ok(w.Tidy(alice))
		if got := w.attached(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	w.ok(w.Tidy(office)) // which has nothing
	w.ok(w.Tidy(address.MustParse("office@example.org")))
	a := w.add("a")
	tidy(time.Hour, "a") // held
	w.put(a)
	w.Release(alice, []string{a.ID}, nil)
	tidy(time.Hour, "a")
	w.put()
	tidy(time.Minute, "a")
	w.put(a)
	tidy(time.Hour, "a")
	w.put()
	tidy(time.Minute, "a")
	tidy(time.Hour, "")
	w.put(a)
	tidy(time.Minute, "a")
	w.put()
	tidy(0, "a")
	tidy(time.Hour, "")
	// It comes back for who reads it, as soon as it is named.
	if w.octets(a.ID) != "-" {
		t.Error("it is there")
	}
	w.put(a)
	if w.octets(a.ID) != "a" {
		t.Error("it is not there")
	}
	// Another program writes the object, and is not done yet.
	path := filepath.Join(w.dir, "domains", alice.Dir(), "calendars", "calendar", "1.ics")
	text := strings.Replace(object(a), a.ID[10:], a.ID[10:12]+"\r\n "+a.ID[12:], 2)
	w.ok(os.WriteFile(path, []byte(text[:len(text)-30]), 0o600))
	tidy(time.Minute, "a")
	tidy(time.Hour, "a")
}

// TestRefused: what can't be kept leaves nothing.
func TestRefused(t *testing.T) {
	w := newWorld(t)
	full := fault.New(fault.OverQuota, "full")
	for name, c := range map[string]struct {
		room error
		new  Content
		kind fault.Kind
	}{
		"quota":             {full, Content{Size: 1, Body: strings.NewReader("a")}, fault.OverQuota},
		"quota, no size":    {full, Content{Size: -1, Body: strings.NewReader("a")}, fault.OverQuota},
		"too large":         {nil, Content{Size: MaxSize + 1, Body: strings.NewReader("a")}, fault.TooLarge},
		"too large, hidden": {nil, Content{Size: -1, Body: strings.NewReader(strings.Repeat("x", MaxSize+1))}, fault.TooLarge},
		"cut off":           {nil, Content{Size: 2, Body: strings.NewReader("a")}, fault.Malformed},
		"hung up":           {nil, Content{Size: 2, Body: iotest.ErrReader(fault.New(fault.TryLater, ""))}, fault.TryLater},
	} {
		w.room = c.room
		_, err := w.Add(alice, c.new)
		if !fault.Is(err, c.kind) || w.attached() != "" {
			t.Errorf("%s: %v, left %q", name, err, w.attached())
		}
	}
	if _, err := w.Add(address.MustParse("zoe@example.org"), Content{}); !fault.Is(err, fault.NotFound) {
		t.Errorf("%v", err)
	}
	if got, err := w.files.Deleted(alice); err != nil || len(got) != 0 {
		t.Errorf("%v %v", got, err)
	}
	tmp, err := os.ReadDir(filepath.Join(w.dir, "tmp"))
	if err != nil || len(tmp) != 0 {
		t.Errorf("%v %v", tmp, err)
	}
}

// TestPowerCuts: after a power cut at any moment each object has what it names, and what nothing
// names goes.
func TestPowerCuts(t *testing.T) {
	var rec *safefile.Recorder
	w := newWorld(t, func(w *world) {
		rec = safefile.NewRecorder(w.dir)
		w.fs = rec
	})
	begin := rec.Len()
	a := w.add("one")
	w.put(a)
	w.Release(alice, []string{a.ID}, nil)
	b := w.add("two")
	w.put(b)
	w.Release(alice, []string{b.ID}, []string{a.ID})
	w.put(a, b)
	w.ok(w.Hold(alice, []string{a.ID}))
	w.Release(alice, []string{a.ID}, nil)
	w.ok(w.calendar().Remove("1.ics", collection.Condition{}))
	w.Release(alice, nil, []string{a.ID, b.ID})
	for n := begin; n <= rec.Len(); n++ {
		written := []func(string) bool{nil, func(string) bool { return true }}[n%2] // by itself, the kernel
		checkCut(t, w, rec, n, written)
	}
}

func checkCut(t *testing.T, before *world, rec *safefile.Recorder, n int, written func(string) bool) {
	t.Helper()
	dir := t.TempDir()
	before.ok(rec.Replay(dir, n, written))
	w := newWorld(t, func(w *world) { w.dir = dir })
	defer w.kept.Close()
	text, _, err := w.calendar().Read("1.ics")
	if err != nil && !fault.Is(err, fault.NotFound) {
		t.Fatal(err)
	}
	var want []string
	for line := range strings.SplitSeq(strings.ReplaceAll(string(text), "\r\n ", ""), "\r\n") {
		if _, id, ok := strings.Cut(line, "MANAGED-ID="); ok {
			if got := w.octets(id[:26]); got != "one" && got != "two" {
				t.Errorf("after %d operations (%v): %s has %q", n, rec.Ops()[max(n-3, 0):n], id[:26], got)
			}
			want = append(want, id[:26])
		}
	}
	w.ok(w.Tidy(alice))
	w.pass(time.Hour)
	w.ok(w.Tidy(alice))
	if got := strings.Fields(w.attached()); len(got) != len(want) {
		t.Errorf("after %d operations: %v are left, %d named", n, got, len(want))
	}
}

// TestFaults: whatever fails, no object names what is not there.
func TestFaults(t *testing.T) {
	for fail := 0; ; fail++ {
		var broken atomic.Bool // a store also works in the background
		var ops atomic.Int64
		faulty := &safefile.Faulty{FS: safefile.Unsynced{FS: safefile.OS}, Fail: func(safefile.Op) error {
			if broken.Load() && ops.Add(1) > int64(fail) {
				return errBroken
			}
			return nil
		}}
		w := newWorld(t, func(w *world) { w.fs = faulty })
		w.calendar()
		broken.Store(true)
		a, err := w.Add(alice, Content{Name: "a.txt", Type: "text/plain", Size: 1, Body: strings.NewReader("a")})
		if err == nil {
			_, _, err = w.calendar().Put("1.ics", []byte(object(a)), collection.Condition{})
			w.Release(alice, []string{a.ID}, nil)
		}
		broken.Store(false)
		if _, there := w.calendar().Entry("1.ics"); there == nil && w.octets(a.ID) != "a" {
			t.Errorf("failure %d: the object names what is not there", fail)
		}
		w.ok(w.Tidy(alice))
		w.pass(time.Hour)
		w.ok(w.Tidy(alice))
		if _, there := w.calendar().Entry("1.ics"); there != nil && w.attached() != "" {
			t.Errorf("failure %d leaves %s", fail, w.attached())
		}
		if err == nil && ops.Load() <= int64(fail) {
			return
		}
	}
}

func TestFileName(t *testing.T) {
	for given, want := range map[string]string{
		"": "attachment", ".": "attachment", "..": "attachment", "/": "attachment", "a/../../b.txt": "b.txt", `c:\x\b.txt`: "b.txt", "...x": "x", "a. ": "a",
		"a\x00b\r\n": "ab", "\xff\xfe": "attachment", "a;b:c": "abc", strings.Repeat("é", 300) + ".pdf": strings.Repeat("é", 88) + ".pdf", "con.": "con",
		"a\u202egnp.exe": "agnp.exe", strings.Repeat("x", 50) + "." + strings.Repeat("y", 300): strings.Repeat("x", 50) + "." + strings.Repeat("y", 129),
	} {
		if got := FileName(given); got != want || safefile.Escape(got) != got {
			t.Errorf("%q: %q, want %q", given, got, want)
		}
	}
}

func FuzzFileName(f *testing.F) {
	for _, s := range []string{"a.txt", "../x", "été.pdf", "\x00", ".", "%41"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name := FileName(s)
		if name == "" || name[0] == '.' || len(safefile.Escape(name)) > maxFileName || strings.ContainsAny(name, "/\\\r\n\x00\"") || FileName(name) != name {
			t.Errorf("%q: %q, then %q", s, name, FileName(name))
		}
	})
}

// TestElsewhere: what readers without a login get (RFC 8607 3.12.6, 3.12.7).
func TestElsewhere(t *testing.T) {
	w := newWorld(t)
	small, big := w.add("octets"), w.add(strings.Repeat("x", maxInline+1))
	run, err := w.Add(alice, Content{Name: "tool.EXE", Size: 1, Body: strings.NewReader("x")})
	w.ok(err)
	gone := Attachment{Owner: alice, ID: "aaaaaaaaaaaaaaaaaaaaaaaaaa", Name: "gone"}
	w.put(small, big, run, gone)
	data := []byte(object(small, big, run, gone))
	c, err := ical.ParseBytes(data)
	w.ok(err)

	exported, links := w.Exported(data)
	if !slices.Equal(links, []string{"a.txt", gone.ID}) {
		t.Errorf("%v", links)
	}
	got := strings.ReplaceAll(string(exported), "\r\n ", "")
	if !strings.Contains(got, "ATTACH;ENCODING=BASE64;VALUE=BINARY:b2N0ZXRz\r\n") || strings.Contains(got, "MANAGED-ID") || !strings.Contains(got, "ATTACH:"+uri(big)+"\r\n") || !strings.Contains(got, "ATTACH:"+uri(gone)) {
		t.Errorf("%.3000s", got)
	}
	if bad, links := w.Exported([]byte("MANAGED-ID")); string(bad) != "MANAGED-ID" || len(links) > 0 || string(w.Imported(alice, []byte("MANAGED-ID"))) != "MANAGED-ID" {
		t.Error("what can't be read is changed")
	}
	if got := string(Hidden(c).Append(nil)); strings.Contains(got, "ATTACH") || string(c.Append(nil)) == got {
		t.Errorf("%s", got)
	}
	got = strings.ReplaceAll(string(w.Imported(alice, data)), "\r\n ", "")
	if strings.Count(got, "MANAGED-ID=") != 3 || !strings.Contains(got, "ATTACH:"+uri(gone)) {
		t.Errorf("%s", got)
	}
	if got := string(w.Imported(office, data)); strings.Contains(got, "MANAGED-ID=") {
		t.Errorf("%s", got)
	}

	c.Props = append(c.Props, ical.Prop{Name: "METHOD", Value: "REQUEST"})
	m, err := itip.Read(c)
	w.ok(err)
	out, list, left := w.Mailed(m, 1000)
	if len(list) != 1 || list[0].Name != "a.txt" || string(list[0].Data) != "octets" || !slices.Equal(left, []string{"a.txt", "tool.EXE"}) {
		t.Errorf("%d files, left %v", len(list), left)
	}
	if got := string(out.Octets()); strings.Count(got, "ATTACH") != 1 || !strings.Contains(got, "ATTACH:CID:"+small.ID+"@") || strings.Contains(got, "MANAGED-ID") {
		t.Errorf("%s", got)
	}
	if !strings.Contains(string(m.Octets()), "MANAGED-ID") {
		t.Error("the message itself was changed")
	}
	m.Method = itip.Cancel
	if out, list, _ := w.Mailed(m, 1000); len(list) != 0 || strings.Contains(string(out.Octets()), "ATTACH") {
		t.Errorf("%s", out.Octets())
	}
}

// TestDropBlind: when it can't be told whether an object names it nothing is removed for good.
func TestDropBlind(t *testing.T) {
	w := newWorld(t)
	a := w.add("octets")
	w.put(a)
	w.kept.Close() // as when the disk fails
	w.Drop(a)
	tree, err := w.files.Tree(alice)
	w.ok(err)
	if list, err := tree.List(nil); err != nil || len(list) != 1 {
		t.Errorf("%v %v", list, err)
	}
}
