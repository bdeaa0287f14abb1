package server

import (
	"archive/zip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"facteur/server/collection"
	"facteur/server/control"
)

func TestImportNames(t *testing.T) {
	for in, want := range map[string]string{"Choir": "Choir", "a~b": "a-b", "inbox": "inboximported", ".hidden": "hidden", "": "imported"} {
		if got := safeCollection(in); got != want {
			t.Errorf("safeCollection(%q) is %q", in, got)
		}
	}
	for in, want := range map[string]string{"#abc": "#aabbcc", "#a1b2c3": "#a1b2c3", "#A1B2C3FF": "#A1B2C3", "red": "", "#12": "", "": ""} {
		if got := plainColor(in); got != want {
			t.Errorf("plainColor(%q) is %q", in, got)
		}
	}
	for in, want := range map[string]string{"Mon agenda": "Mon agenda", "été": "été", "a/b": "a_b-c14cddc033f6", "..": ""} {
		got := folderFor(in)
		if want == "" {
			want = got
		}
		if got != want || strings.Contains(got, "/") || got[0] == '.' {
			t.Errorf("folderFor(%q) is %q", in, got)
		}
	}
	if a, b := fileFor("A.ics", ".ics"), fileFor("a.ics", ".ics"); strings.EqualFold(a, b) || b != "a.ics" {
		t.Errorf("%q and %q are one file where upper case does not count", a, b)
	}
	hrefs := hrefsFor(control.Object{UID: "a/b", Href: "../x.ics"}, collection.Calendar)
	if len(hrefs) != 1 || strings.Contains(hrefs[0], "/") {
		t.Errorf("%q", hrefs)
	}
	hrefs = hrefsFor(control.Object{UID: "a@b", Href: "x.vcf"}, collection.AddressBook)
	if len(hrefs) != 3 || hrefs[0] != "x.vcf" || hrefs[1] != "a@b.vcf" {
		t.Errorf("%q", hrefs)
	}
}

// TestImportArchive reads an archive, also names that lead out of it, and lists what is in an archive and is not taken.
func TestImportArchive(t *testing.T) {
	dir := importDir(t, "")
	name := filepath.Join(dir, "home.zip")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	for file, text := range map[string]string{
		"calendars/work/a.ics":       "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nBEGIN:VEVENT\nUID:a\nDTSTART:20260101\nEND:VEVENT\nEND:VCALENDAR\n",
		"calendars/work/displayname": "Work\n",
		"calendars/work/.hidden":     "x",
		"calendars/work/empty.ics":   "",
		"../escape.ics":              "BEGIN:VCALENDAR\n",
		"picture.jpg":                "x",
	} {
		w, err := z.Create(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	f.Close()
	out, err := importInto(t, dir, ImportOptions{Files: []string{name}})
	if err == nil || err.Error() != "3 problems: see above" {
		t.Errorf("the error is %v", err)
	}
	lines := strings.Split(strings.ReplaceAll(strings.TrimSpace(out), name, "home.zip"), "\n")
	slices.Sort(lines)
	want := []string{
		"alice@example.org: 1 new in work",
		`home.zip/calendars/work/empty.ics: there is nothing in it`,
		`home.zip/escape.ics:1: the text ends within the VCALENDAR`,
		`home.zip/picture.jpg: it is neither a calendar (.ics) nor contacts (.vcf, .csv)`,
	}
	if !slices.Equal(lines, want) {
		t.Errorf("got\n%s", strings.Join(lines, "\n"))
	}
	name = filepath.Join(dir, "data/domains/example.org/alice/calendars/work/displayname")
	if text, err := os.ReadFile(name); err != nil || strings.TrimSpace(string(text)) != "Work" {
		t.Errorf("%q, %v", text, err)
	}
}

// TestImportMixedFolder: a folder that has both kinds, as many zip for themselves, becomes a
// calendar and an address book, also when it is read again.
func TestImportMixedFolder(t *testing.T) {
	dir := importDir(t, "")
	backup := filepath.Join(dir, "all", "backup")
	if err := os.MkdirAll(backup, 0o700); err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{
		"a.ics": "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nBEGIN:VEVENT\nUID:a\nDTSTART:20260101T100000Z\nEND:VEVENT\nEND:VCALENDAR\n",
		"b.vcf": "BEGIN:VCARD\nVERSION:3.0\nUID:b\nFN:B\nEND:VCARD\n",
		"c.csv": "Name,E-mail Address\nC,c@example.net\n",
	} {
		if err := os.WriteFile(filepath.Join(backup, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"3 new in backup, backup-contacts", "3 there already"} {
		out, err := importInto(t, dir, ImportOptions{Files: []string{filepath.Dir(backup)}})
		if err != nil || out != "alice@example.org: "+want+"\n" {
			t.Errorf("%q, %v", out, err)
		}
	}
}

// TestImportAfterMove: what its owner has moved to another calendar since is there already, and
// is replaced there; who names a calendar gets it into that one.
func TestImportAfterMove(t *testing.T) {
	dir := importDir(t, "")
	file := filepath.Join(dir, "a.ics")
	write := func(summary string) {
		text := "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nBEGIN:VEVENT\nUID:a\nDTSTART:20260101T100000Z\nSUMMARY:" + summary + "\nEND:VEVENT\nEND:VCALENDAR\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("one")
	for _, c := range []struct {
		to, change string
		replace    bool
		want       string
	}{
		{to: "choir", want: "alice@example.org: 1 new in choir\n"}, // as if moved there
		{want: "alice@example.org: 1 there already\n"},
		{change: "two", want: "a.ics:1: the VEVENT is left out: choir has one with its UID and other content; --replace takes this one\nalice@example.org: 1 there with other content\n"},
		{replace: true, want: "alice@example.org: 1 replaced in choir\n"},
		{want: "alice@example.org: 1 there already\n"},
		{to: "calendar", want: "alice@example.org: 1 new in calendar\n"},
	} {
		if c.change != "" {
			write(c.change)
		}
		out, err := importInto(t, dir, ImportOptions{Files: []string{file}, To: c.to, Replace: c.replace})
		if out = strings.ReplaceAll(out, dir+"/", ""); out != c.want {
			t.Errorf("%+v: %q, %v", c, out, err)
		}
	}
}
