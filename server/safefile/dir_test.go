package safefile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// TestDir does the same by open directories, by paths, and where the file
// system fails.
func TestDir(t *testing.T) {
	for name, wrap := range map[string]func(FS) FS{
		"OS":       func(f FS) FS { return f },
		"unsynced": func(f FS) FS { return Unsynced{f} },
		"by path":  func(f FS) FS { return &Faulty{FS: f} },
		"nested":   func(f FS) FS { return Unsynced{&Faulty{FS: f}} },
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			a, b := filepath.Join(root, "a"), filepath.Join(root, "b")
			for _, dir := range []string{a, b} {
				if err := os.Mkdir(dir, 0o700); err != nil {
					t.Fatal(err)
				}
			}
			write(t, filepath.Join(a, "one"), "1")
			write(t, filepath.Join(b, "two"), "2")
			fsys := wrap(OS)
			from, to := OpenDir(fsys, a), OpenDir(fsys, b)
			defer from.Close()
			defer to.Close()
			if err := from.RenameNoReplace("one", to, "two"); !errors.Is(err, fs.ErrExist) {
				t.Errorf("over another: %v", err)
			}
			if err := from.RenameNoReplace("none", to, "x"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("of nothing: %v", err)
			}
			if err := from.Link("one", to, "two"); !errors.Is(err, fs.ErrExist) {
				t.Errorf("over another: %v", err)
			}
			for _, err := range []error{
				from.Link("one", to, "three"), from.RenameNoReplace("one", from, "uno"), from.RenameNoReplace("uno", to, "one"), to.Remove("two"),
			} {
				if err != nil {
					t.Error(err)
				}
			}
			if err := to.Remove("two"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("of nothing: %v", err)
			}
			if got, want := listed(t, a, b), []string{"one", "three"}; !reflect.DeepEqual(got, want) {
				t.Errorf("%v, want %v", got, want)
			}
			none := OpenDir(fsys, filepath.Join(root, "c"))
			defer none.Close()
			if err := to.RenameNoReplace("one", none, "one"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("into nothing: %v", err)
			}
		})
	}
}

// TestDirFails: an FS of tests sees what is done within a Dir.
func TestDirFails(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "one"), "1")
	var ops []Op
	broken := errors.New("broken")
	d := OpenDir(&Faulty{FS: OS, Fail: func(op Op) error { ops = append(ops, op); return broken }}, dir)
	defer d.Close()
	for _, err := range []error{d.RenameNoReplace("one", d, "two"), d.Link("one", d, "two"), d.Remove("one")} {
		if err != broken {
			t.Error(err)
		}
	}
	one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
	if want := []Op{{"rename", one, two}, {"link", one, two}, {"remove", one, ""}}; !reflect.DeepEqual(ops, want) {
		t.Errorf("%v", ops)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func listed(t *testing.T, dirs ...string) (all []string) {
	t.Helper()
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			all = append(all, e.Name())
		}
	}
	return all
}
