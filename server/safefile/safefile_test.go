package safefile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func TestOS(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	f, err := OS.Create(a)
	if err != nil {
		t.Fatal(err)
	}
	f.Write([]byte("one"))
	f.Close()
	if f, err := OS.Create(a); !errors.Is(err, fs.ErrExist) || f != nil {
		t.Errorf("created twice: %v, %v", f, err)
	}
	for range 2 {
		f, err := OS.Append(b)
		if err != nil {
			t.Fatal(err)
		}
		f.Write([]byte("x"))
		f.Close()
	}
	if got := read(t, b); got != "xx" {
		t.Errorf("appended: %q", got)
	}
	for what, err := range map[string]error{
		"rename":      OS.RenameNoReplace(a, b),
		"link":        OS.Link(a, b),
		"link+remove": linkAndRemove(a, b),
		"mkdir":       OS.Mkdir(b),
	} {
		if !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s onto a file: %v", what, err)
		}
	}
	if err := linkAndRemove(a, filepath.Join(dir, "c")); err != nil || strings.Join(names(t, dir), " ") != "b c" {
		t.Error(err, names(t, dir))
	}
	if err := OS.RenameNoReplace(a, b); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if err := MkdirAll(OS, b); !errors.Is(err, syscall.ENOTDIR) {
		t.Error("a file taken for a directory:", err)
	}
	deep := filepath.Join(dir, "x", "y", "z")
	if err := MkdirAll(OS, deep); err != nil {
		t.Fatal(err)
	}
	if err := MkdirAll(OS, deep); err != nil {
		t.Error("the second time:", err)
	}
	if info, err := os.Stat(deep); err != nil || info.Mode().Perm() != 0o700 {
		t.Error(info, err)
	}
	if err := OS.SyncDir(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "state")
	for _, text := range []string{"one", "two"} {
		if err := WriteFile(OS, path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got := read(t, path); got != text {
			t.Errorf("%q, want %q", got, text)
		}
	}
	if got := names(t, dir); len(got) != 1 {
		t.Errorf("left behind: %v", got)
	}
}

// Each step of WriteFile fails once: the old content stays, or the new one is there.
func TestWriteFileFails(t *testing.T) {
	broken := errors.New("broken")
	for n, kind := range []string{"create", "write", "sync", "rename", "syncdir"} {
		dir := t.TempDir()
		path := filepath.Join(dir, "state")
		if err := WriteFile(OS, path, []byte("old")); err != nil {
			t.Fatal(err)
		}
		faulty := &Faulty{FS: OS}
		faulty.Fail = func(op Op) error {
			if op.Kind == kind {
				return broken
			}
			return nil
		}
		if err := WriteFile(faulty, path, []byte("new")); !errors.Is(err, broken) {
			t.Errorf("%s fails: %v", kind, err)
		}
		want := "old"
		if kind == "syncdir" {
			want = "new"
		}
		if got := read(t, path); got != want {
			t.Errorf("%s fails: %q", kind, got)
		}
		if got := names(t, dir); len(got) != 1 {
			t.Errorf("%s fails: left behind: %v", kind, got)
		}
		if faulty.Ops() < n+1 {
			t.Errorf("%s fails: %d operations", kind, faulty.Ops())
		}
	}
}

func TestRemoveStale(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"other", "young"} {
		f, err := createTemp(OS, dir)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		if name == "other" {
			os.Rename(f.Name(), filepath.Join(dir, name))
		}
	}
	old, err := createTemp(OS, dir)
	if err != nil {
		t.Fatal(err)
	}
	old.Close()
	for _, path := range []string{old.Name(), filepath.Join(dir, "other")} {
		if err := OS.Chtimes(path, time.Unix(1, 0)); err != nil {
			t.Fatal(err)
		}
	}
	RemoveStale(OS, dir, time.Now().Add(-time.Minute))
	RemoveStale(OS, filepath.Join(dir, "none"), time.Now())
	if got := names(t, dir); len(got) != 2 || got[1] != "other" {
		t.Error(got)
	}
}

func testDraft(t *testing.T, dir string, d *Draft) {
	if n, err := d.ReadFrom(strings.NewReader("hello")); n != 5 || err != nil {
		t.Fatal(n, err)
	}
	d.Write([]byte(" world"))
	when := time.Unix(1e9, 0)
	if err := d.SetTime(when); err != nil {
		t.Fatal(err)
	}
	if err := d.Sync(); err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 5)
	if _, err := d.ReadAt(p, 6); err != nil || string(p) != "world" || d.Size() != 11 {
		t.Errorf("%q %v %d", p, err, d.Size())
	}
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	if err := d.Link(a); err != nil {
		t.Fatal(err)
	}
	if err := d.SetTime(time.Now()); !errors.Is(err, ErrLinked) {
		t.Error("the time of a linked file was changed:", err)
	}
	for what, err := range map[string]error{"link": d.Link(a), "move": d.Move(a)} {
		if !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s onto a file: %v", what, err)
		}
	}
	if err := d.Move(b); err != nil {
		t.Fatal(err)
	}
	d.Discard()
	d.Discard()
	if got := strings.Join(names(t, dir), " "); got != "a b" {
		t.Error(got)
	}
	ai, _ := os.Stat(a)
	bi, _ := os.Stat(b)
	if !os.SameFile(ai, bi) || !ai.ModTime().Equal(when) || ai.Mode().Perm() != 0o600 || read(t, a) != "hello world" {
		t.Error("not one file with the time that was set")
	}
}

func TestDraft(t *testing.T) {
	dir := t.TempDir()
	d, err := NewDraft(OS, dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := names(t, dir); len(got) != 0 {
		t.Log("this file system has no unnamed files")
	}
	testDraft(t, dir, d)
}

func TestNamedDraft(t *testing.T) {
	dir := t.TempDir()
	f, err := namedTemp(dir)
	if err != nil {
		t.Fatal(err)
	}
	testDraft(t, dir, &Draft{file: f})
}

func TestDraftOfNoDirectory(t *testing.T) {
	if d, err := NewDraft(OS, filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) || d != nil {
		t.Error(d, err)
	}
}

// Sync is asked of the disk once for each change.
func TestDraftSync(t *testing.T) {
	rec := NewRecorder(t.TempDir())
	d, err := NewDraft(rec, rec.root)
	if err != nil {
		t.Fatal(err)
	}
	d.Write([]byte("x"))
	d.Sync()
	d.Sync()
	d.Write([]byte("y"))
	d.Sync()
	d.Discard()
	var kinds []string
	for _, op := range rec.Ops() {
		kinds = append(kinds, op.Kind)
	}
	if got := strings.Join(kinds, " "); got != "temp write sync write sync" {
		t.Error(got)
	}
	if got := names(t, rec.root); len(got) != 0 {
		t.Error(got)
	}
}
