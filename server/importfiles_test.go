package server

import (
	"archive/zip"
	"bytes"
	"io"
	"runtime"
	"strings"
	"testing"
)

// TestArchiveBomb: what tells the name of a collection is read as far as a name goes, however
// much an archive says to have of it.
func TestArchiveBomb(t *testing.T) {
	var file bytes.Buffer
	z := zip.NewWriter(&file)
	add := func(name string, octets int) {
		w, err := z.Create(name)
		for n := 0; err == nil && n < octets; n += 1 << 20 {
			_, err = w.Write(make([]byte, min(1<<20, octets-n)))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	add("work/displayname", 64<<20)
	add("work/color", 7)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	root, err := zip.NewReader(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		t.Fatal(err)
	}
	im := &importer{}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	to := im.destination(root, "work/a.ics")
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; to.create.DisplayName != "" || used > 16<<20 {
		t.Errorf("%d octets are taken for a name of %d", used, len(to.create.DisplayName))
	}
}

// TestProblemShown: names in an archive can't command a terminal.
func TestProblemShown(t *testing.T) {
	im := &importer{}
	im.problem("a\x1b]0;x\a.ics", 3, "no \x1b[2J thing")
	im.report.Notes = []string{"a \x1b[2J note"}
	var out strings.Builder
	if err := im.print(io.Writer(&out)); err == nil || strings.ContainsAny(out.String(), "\x1b\a") {
		t.Errorf("%q %v", out.String(), err)
	}
}
