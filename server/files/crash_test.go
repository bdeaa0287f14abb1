package files

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"facteur/server/safefile"
)

// After a power cut at any moment, with what the kernel wrote out by itself or without it,
// all that was acknowledged is there, and what was under way is done or not done.
func TestPowerCuts(t *testing.T) {
	var rec *safefile.Recorder
	f := newFixture(t, func(f *fixture) {
		rec = safefile.NewRecorder(f.dir)
		f.opt.FS = rec
	})
	states := []map[string]string{{}}
	ends := []int{rec.Len()} // operations after which states[i] was acknowledged
	step := func(err error) {
		t.Helper()
		f.ok(err)
		states = append(states, f.all(f.tree))
		ends = append(ends, rec.Len())
	}
	put := func(path, data string) {
		t.Helper()
		_, _, err := f.tree.Put(p(path), strings.NewReader(data), PutOptions{Size: -1})
		step(err)
	}
	put("a", "one")
	put("a", "two")
	step(f.tree.Mkdir(p("d"), map[string]string{"{x:}k": "v"}, nil))
	put("d/b", "b")
	step(f.tree.SetProps(p("d/b"), func(m map[string]string) error { m["{x:}k"] = "v"; return nil }))
	_, err := f.tree.Copy(p("d"), TransferOptions{Path: p("e")})
	step(err)
	_, err = f.tree.Move(p("e/b"), TransferOptions{Path: p("c")})
	step(err)
	_, err = f.tree.Move(p("d"), TransferOptions{Path: p("e/d")})
	step(err)
	step(f.tree.Remove(p("e"), nil))
	_, err = f.store.Undelete(alice, time.Time{})
	step(err)
	for n := ends[0]; n <= rec.Len(); n++ {
		for _, written := range []func(string) bool{nil, func(string) bool { return true }} {
			checkCut(f, rec, n, written, states, ends)
		}
	}
}

func checkCut(f *fixture, rec *safefile.Recorder, n int, written func(string) bool, states []map[string]string, ends []int) {
	f.Helper()
	dir := f.TempDir()
	f.ok(rec.Replay(dir, n, written))
	opt := f.opt
	opt.Dir, opt.Tmp, opt.FS = filepath.Join(dir, "domains"), filepath.Join(dir, "tmp"), safefile.Unsynced{FS: safefile.OS}
	opt.Bins = nil // of another directory
	s, err := Open(opt)
	f.ok(err)
	defer s.Close()
	tree, err := s.Tree(alice)
	f.ok(err)
	got := f.all(tree)
	for i := range states {
		if (ends[i] == n || i == 0 && ends[0] > n) && maps.Equal(got, states[i]) {
			return
		}
		if i+1 < len(ends) && ends[i] <= n && n < ends[i+1] && (maps.Equal(got, states[i]) || maps.Equal(got, states[i+1])) {
			return
		}
	}
	f.Errorf("after %d operations (%v): %v", n, rec.Ops()[max(n-3, 0):n], got)
}

// Whatever fails, nothing is half done, and the next try succeeds.
func TestFaults(t *testing.T) {
	broken := errors.New("broken")
	for fail := 0; ; fail++ {
		faulty := &safefile.Faulty{FS: safefile.Unsynced{FS: safefile.OS}}
		f := newFixture(t, func(f *fixture) { f.opt.FS = faulty })
		f.mkdir("d")
		f.put("d/a", "a")
		ops := 0
		faulty.Fail = func(o safefile.Op) error {
			if ops++; ops > fail && o.Kind != "remove" {
				return broken
			}
			return nil
		}
		before := f.all(f.tree)
		_, err := f.tree.Copy(p("d"), TransferOptions{Path: p("e")})
		during := f.all(f.tree)
		faulty.Fail = func(safefile.Op) error { return nil }
		f.tree.forgetUsage()
		if err == nil {
			f.holds("d/", "d/a=a", "e/", "e/a=a")
			return
		}
		if len(during) != len(before) && len(during) != len(before)+2 {
			f.Errorf("failure %d leaves %v", fail, during)
		}
		if _, err := f.tree.Copy(p("d"), TransferOptions{Path: p("e"), Overwrite: true}); err != nil {
			f.Errorf("after failure %d: %v", fail, err)
		}
		f.holds("d/", "d/a=a", "e/", "e/a=a")
		f.want("that may be told", fmt.Sprint(kind(err)), "fault 0")
	}
}
