package fts

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync/atomic"
	"syscall"
	"testing"

	"facteur/server/safefile"
)

// twoFiles is a folder of two segments, with few octets.
func twoFiles(t *testing.T) *folder {
	f := newFolder(t, Options{})
	f.put(1, "abcd", "bcde")
	f.put(2, "cdef")
	f.put(4, "abcdef")
	f.ok(f.index())
	f.ok(f.x.Flush())
	f.put(5, "bcd")
	f.texts[6] = nil
	f.put(9, "def abc")
	f.ok(f.index())
	f.ok(f.x.Flush())
	return f
}

var questions = []string{"abc", "bcd", "bcde", "abcdef", "def", "xyz", " ab"}

// TestDamage changes each octet of each file, and cuts each file everywhere, both
// under an open index and before it is opened.
func TestDamage(t *testing.T) {
	f := twoFiles(t)
	whole := map[string]string{}
	for _, name := range f.files() {
		data, err := os.ReadFile(name)
		f.ok(err)
		whole[name] = string(data)
	}
	try := func(name, data string, open bool) {
		f.kill()
		for name, data := range whole { // damaged files were removed
			f.ok(os.WriteFile(name, []byte(data), 0o600))
		}
		if open {
			f.kill()
		}
		f.ok(os.WriteFile(name, []byte(data), 0o600))
		if !open {
			f.kill()
		}
		for _, text := range questions {
			f.check([]byte(text))
		}
		if err := f.index(); err != nil {
			t.Fatal(err)
		}
		if through := f.x.Through(); through != 9 {
			t.Fatalf("through %d after repair", through)
		}
		for _, text := range questions {
			f.check([]byte(text))
		}
	}
	for name, data := range whole {
		for at := range data {
			for _, open := range []bool{false, true} {
				try(name, data[:at]+string(data[at]^0x41)+data[at+1:], open)
				try(name, data[:at], open)
			}
		}
	}
}

func TestVanish(t *testing.T) {
	for _, test := range []struct {
		name    string
		harm    func(f *folder) error
		through uint32 // after a question
	}{
		{"first", func(f *folder) error { return os.Remove(f.files()[0]) }, 0},
		{"second", func(f *folder) error { return os.Remove(f.files()[1]) }, 4},
		{"all", func(f *folder) error { return os.RemoveAll(f.opt.Dir) }, 0},
		{"swapped", func(f *folder) error { return os.Rename(f.files()[0], f.files()[1]) }, 0},
		{"a directory", func(f *folder) error { os.Remove(f.files()[1]); return os.Mkdir(f.opt.Dir+"/2.seg", 0o700) }, 4},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := twoFiles(t)
			f.ok(f.x.Add(10, []byte("half")))
			f.ok(test.harm(f))
			if _, _, ok := f.check([]byte("def")); ok {
				t.Fatal("nothing was noticed")
			}
			if got := f.x.Through(); got != test.through {
				t.Fatalf("through %d, want %d", got, test.through)
			}
			for _, err := range []error{f.x.Add(10, nil), f.x.Done(10), f.x.Skip(11)} {
				if !errors.Is(err, ErrLost) {
					t.Fatalf("%v, want ErrLost", err)
				}
			}
			f.ok(f.index())
			f.want("def", 9, 2, 4, 6, 9)
			f.ok(f.x.Flush())
			f.kill()
			f.want("def", 9, 2, 4, 6, 9)
		})
	}
}

// TestCannotOpen is an error that says nothing about the file.
func TestCannotOpen(t *testing.T) {
	f := twoFiles(t)
	name := f.files()[0]
	f.ok(os.Rename(name, f.opt.Dir+"/away"))
	f.ok(os.Symlink(name, name)) // ELOOP
	if _, _, ok := f.check([]byte("def")); ok || f.x.Through() != 9 {
		t.Fatalf("%v through %d", ok, f.x.Through())
	}
	f.ok(os.Rename(f.opt.Dir+"/away", name))
	f.want("def", 9, 2, 4, 6, 9)
}

// TestFullDisk lets each operation fail, one after the other, and all from one on.
func TestFullDisk(t *testing.T) {
	for _, lasting := range []bool{false, true} {
		for at := 1; ; at++ {
			f := newFolder(t, Options{Memory: 1})
			disk := &safefile.Faulty{FS: safefile.OS}
			var full atomic.Bool
			full.Store(true)
			ops := 0
			disk.Fail = func(safefile.Op) error { // one call at a time
				ops++
				if full.Load() && (ops == at || lasting && ops > at) {
					return &fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}
				}
				return nil
			}
			f.opt.FS, f.x = disk, nil
			f.x = Open(f.opt)
			for uid := uint32(1); uid <= 12; uid++ {
				f.put(uid, fmt.Sprintf("some text of %d.", uid))
			}
			err := f.index()
			if err != nil && !errors.Is(err, syscall.ENOSPC) {
				t.Fatal(err)
			}
			if _, _, ok := f.check([]byte("text")); !ok {
				t.Fatal("memory can't be asked")
			}
			f.x.waitMerge()
			full.Store(false)
			f.ok(f.index())
			f.want("f 11.", 12, 11)
			f.ok(f.x.Close())
			f.x = Open(f.opt)
			f.want("of 1", 12, 1, 10, 11, 12)
			if disk.Ops() < at {
				break
			}
		}
	}
}
