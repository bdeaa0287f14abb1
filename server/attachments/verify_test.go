package attachments

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"facteur/server/collection"
)

// sizedObject is object with the names and sizes.
func sizedObject(list ...Attachment) string {
	text := object(list...)
	for _, a := range list {
		text = strings.Replace(text, a.ID+":", a.ID+";SIZE="+strconv.FormatInt(a.Size, 10)+";FILENAME="+a.Name+":", 1)
	}
	return text
}

// TestVerify: each thing that can be wrong is told, with its place.
func TestVerify(t *testing.T) {
	const id, other = "aaaaaaaaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbbbbbbbb"
	type place struct {
		*world
		a   Attachment // which 1.ics names
		dir string     // attachments/
	}
	write := func(p place, path, data string) {
		path = filepath.Join(p.dir, path)
		p.ok(os.MkdirAll(filepath.Dir(path), 0o700))
		p.ok(os.WriteFile(path, []byte(data), 0o600))
	}
	for name, c := range map[string]struct {
		do                     func(p place)
		wrong, strays, unnamed string // lines with ID for that of the attachment
	}{
		"fine": {do: func(place) {}},
		"lost": {do: func(p place) { p.ok(os.RemoveAll(filepath.Join(p.dir, p.a.ID))) },
			wrong: `calendar/1.ics has the attachment "a.txt", which is lost: bring the folder attachments/ID back from a backup, or take the attachment out of the entry`},
		"lost, all": {do: func(p place) { p.ok(os.RemoveAll(p.dir)) },
			wrong: `calendar/1.ics has the attachment "a.txt", which is lost: bring the folder attachments/ID back from a backup, or take the attachment out of the entry`},
		"lost, but for the folder": {do: func(p place) { p.ok(os.Remove(filepath.Join(p.dir, p.a.ID, "a.txt"))) },
			wrong: `calendar/1.ics has the attachment "a.txt", which is lost: bring the folder attachments/ID back from a backup, or take the attachment out of the entry`},
		"removed, and can be brought back": {do: func(p place) { p.ok(p.remove(alice, p.a.ID)) }},
		"cut short": {do: func(p place) { write(p, p.a.ID+"/a.txt", "a") },
			wrong: "attachments/ID/a.txt has 1 octets, calendar/1.ics says 3: bring the file back from a backup, or attach it again"},
		"named by nothing": {do: func(p place) { write(p, id+"/b.txt", "b") },
			unnamed: "attachments/" + id + "/b.txt is named by nothing any more: the server takes it away within two hours"},
		"a crash left the folder alone": {do: func(p place) { p.ok(os.Mkdir(filepath.Join(p.dir, id), 0o700)) },
			unnamed: "attachments/" + id + " is named by nothing any more: the server takes it away within two hours"},
		"held, for it will be named soon": {do: func(p place) { p.add("new") }},
		"no attachment":                   {do: func(p place) { write(p, "x/y", ""); write(p, "z", ""); write(p, other, "") }, strays: "attachments/" + other + ": nothing can name it; mend it or take it away\nattachments/x: nothing can name it; mend it or take it away\nattachments/z: nothing can name it; mend it or take it away"},
		"two files": {do: func(p place) { write(p, p.a.ID+"/b.txt", "b") },
			strays: "attachments/ID/b.txt: there is a.txt already, and an attachment is one file; mend it or take it away"},
		"a folder": {do: func(p place) { write(p, p.a.ID+"/b/c", "b") },
			strays: "attachments/ID/b: it is a folder; mend it or take it away"},
		"hidden": {do: func(p place) { write(p, p.a.ID+"/.b", "b") },
			strays: "attachments/ID/.b: its name begins with a dot or is too long, so that no program is shown it; mend it or take it away"},
		"a link in its place": {do: func(p place) {
			at := filepath.Join(p.dir, p.a.ID, "a.txt")
			p.ok(os.Rename(at, filepath.Join(p.dir, "..", "moved")))
			p.ok(os.Symlink("../../moved", at))
		},
			strays: "attachments/ID/a.txt: it is neither a file nor a folder; mend it or take it away",
			wrong:  `calendar/1.ics has the attachment "a.txt", which is lost: bring the folder attachments/ID back from a backup, or take the attachment out of the entry`},
		"a bad name": {do: func(p place) {
			p.ok(os.Rename(filepath.Join(p.dir, p.a.ID, "a.txt"), filepath.Join(p.dir, p.a.ID, "a;b?.txt")))
		}, wrong: `attachments/ID/a;b?.txt has a name that not every program takes: call it "ab.txt"`},
		"what it is can't be read": {do: func(p place) { write(p, p.a.ID+"/.facteur-properties", "{") },
			strays: "attachments/ID/.facteur-properties: it should have the properties of a file or folder, and can't be read as such; mend it or take it away"},
		"no folder at all": {do: func(p place) { p.ok(os.RemoveAll(p.dir)); write(p, "../attachments", "") },
			strays: "attachments: it is no folder; mend it or take it away",
			wrong:  `calendar/1.ics has the attachment "a.txt", which is lost: bring the folder attachments/ID back from a backup, or take the attachment out of the entry`},
		"half written": {do: func(p place) {
			path := filepath.Join(p.dir, "..", "calendars", "calendar", "1.ics")
			data, err := os.ReadFile(path)
			p.ok(err)
			p.ok(os.WriteFile(path, data[:len(data)-30], 0o600))
			p.pass(time.Minute)
		}},
		"of an address that was given up": {do: func(p place) {
			_, _, err := p.calendar().Put("1.ics", []byte(strings.ReplaceAll(sizedObject(p.a), "alice@", "alix@")), collection.Condition{})
			p.ok(err)
		}, wrong: `calendar/1.ics has the attachment "a.txt" by the address alix@example.org, which is nobody's: make it an alias of alice@example.org in mail.toml`},
		"another's": {do: func(p place) {
			text := strings.ReplaceAll(object(Attachment{ID: id, Owner: office, Name: "x"}), "UID:1\r\n", "UID:2\r\n")
			_, _, err := p.calendar().Put("2.ics", []byte(text), collection.Condition{})
			p.ok(err)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			p := place{w, w.add("abc"), filepath.Join(w.dir, "domains", alice.Dir(), Folder)}
			_, _, err := w.calendar().Put("1.ics", []byte(sizedObject(p.a)), collection.Condition{})
			w.ok(err)
			w.Release(alice, []string{p.a.ID}, nil)
			c.do(p)
			r, err := w.Verify(alice)
			w.ok(err)
			for _, got := range []struct {
				lines []string
				want  string
			}{{r.Wrong, c.wrong}, {r.Strays, c.strays}, {r.Unnamed, c.unnamed}} {
				if text := strings.ReplaceAll(strings.Join(got.lines, "\n"), p.a.ID, "ID"); text != got.want {
					t.Errorf("%s\nnot %s", text, got.want)
				}
			}
		})
	}
	w := newWorld(t)
	if r, err := w.Verify(office); err != nil || len(r.Wrong)+len(r.Strays)+len(r.Unnamed) > 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := os.Stat(filepath.Join(w.dir, "domains", office.Dir())); err == nil {
		t.Error("looking has made a home")
	}
}

// TestRestore: what objects name that came back is there at once.
func TestRestore(t *testing.T) {
	w := newWorld(t)
	a, b := w.add("a"), w.add("b")
	w.put(a)
	w.Release(alice, []string{a.ID, b.ID}, nil)
	w.put()
	w.Release(alice, nil, []string{a.ID})
	w.put(a)
	for _, want := range []int{1, 0} {
		if n, err := w.Restore(alice); n != want || err != nil {
			t.Errorf("%d %v, want %d", n, err, want)
		}
	}
	if got := w.attached(); got != "a" {
		t.Errorf("%q", got)
	}
}

// TestVerifyUnreadable: what the server may not read is told once.
func TestVerifyUnreadable(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may read everything")
	}
	w := newWorld(t)
	a := w.add("abc")
	w.put(a)
	place := filepath.Join(Folder, a.ID, "a.txt")
	w.ok(os.Chmod(filepath.Join(w.dir, "domains", alice.Dir(), place), 0))
	r, err := w.Verify(alice)
	w.ok(err)
	if len(r.Strays) > 0 || len(r.Wrong) != 1 || !strings.HasPrefix(r.Wrong[0], place+" can't be read: permission denied; ") {
		t.Errorf("%+v", r)
	}
}
