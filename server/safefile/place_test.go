package safefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"facteur/server/fault"
)

func TestPrepare(t *testing.T) {
	dir := t.TempDir()
	home, tmp := filepath.Join(dir, "domains"), filepath.Join(dir, "spool", "tmp")
	if err := Prepare(OS, home, tmp, time.Now()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"mine", filepath.Base(TempName(""))} {
		if err := os.WriteFile(filepath.Join(tmp, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := Prepare(OS, home, tmp, time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(tmp)
	if err != nil || len(left) != 1 || left[0].Name() != "mine" {
		t.Errorf("left: %v, %v", left, err)
	}
	err = Prepare(OS, "/proc", tmp, time.Now())
	if err == nil || !strings.Contains(err.Error(), "not on one file system") {
		t.Errorf("on two disks: %v", err)
	}
}

func TestFault(t *testing.T) {
	other := fault.New(fault.NotFound, "")
	for _, c := range []struct {
		err  error
		want fault.Kind
	}{
		{&os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}, fault.Unavailable},
		{fmt.Errorf("wrapped: %w", syscall.EMFILE), fault.Unavailable},
		{fs.ErrNotExist, fault.Internal},
		{fmt.Errorf("wrapped: %w", other), fault.NotFound},
	} {
		if got := Fault(c.err); !fault.Is(got, c.want) || !errors.Is(got, c.err) {
			t.Errorf("%v: %v", c.err, got)
		}
	}
	if err := Fault(nil); err != nil {
		t.Error(err)
	}
}

func TestRemoveAll(t *testing.T) {
	dir := t.TempDir()
	path := func(names ...string) string { return filepath.Join(append([]string{dir}, names...)...) }
	for _, d := range []string{path("a", "b"), path("stays")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []string{path("a", "1"), path("a", "b", "2"), path("stays", "3")} {
		if err := os.WriteFile(f, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(path("stays"), path("a", "link")); err != nil {
		t.Fatal(err)
	}
	bad := errors.New("no")
	fsys := &Faulty{FS: OS, Fail: func(op Op) error {
		if filepath.Base(op.Path) == "1" {
			return bad
		}
		return nil
	}}
	if err := RemoveAll(fsys, path("a")); !errors.Is(err, bad) {
		t.Errorf("with a file that stays: %v", err)
	}
	if left, err := os.ReadDir(path("a")); err != nil || len(left) != 1 {
		t.Errorf("as far as it can: %v, %v", left, err)
	}
	for range 2 {
		if err := RemoveAll(OS, path("a")); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Lstat(path("a")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
	if _, err := os.Lstat(path("stays", "3")); err != nil {
		t.Errorf("what a link led to: %v", err)
	}
}
