package fts

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"facteur/server/safefile"
)

func TestLikeSize(t *testing.T) {
	for _, test := range []struct {
		sizes []int64 // in units of 32 KiB
		want  string
	}{
		{nil, ""},
		{[]int64{1, 1, 1}, ""},
		{[]int64{1, 1, 1, 1}, "0-4"},
		{[]int64{64, 1, 1, 1}, ""},
		{[]int64{64, 1, 1, 1, 1}, "1-5"},
		{[]int64{64, 64, 1, 64, 64}, "0-5"},
		{[]int64{64, 64, 64, 64, 1, 1, 1, 1}, "4-8"},
		{[]int64{1024, 64, 64, 1, 1024, 64, 64}, ""},
		{[]int64{1, 64, 1, 64, 1, 64, 1, 64, 1}, "0-9"},
		{slices.Repeat([]int64{1, 64, 1, 1024}, 3), ""},
		{slices.Repeat([]int64{1, 64, 1, 16, 1024, 1 << 18, 1, 1 << 15}, 3), "0-16"},
		{[]int64{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, "0-16"},
	} {
		var segs []*segment
		for _, size := range test.sizes {
			segs = append(segs, &segment{size: size << 15})
		}
		got := ""
		if run := likeSize(segs); run != nil {
			from := slices.Index(segs, run[0])
			got = fmt.Sprintf("%d-%d", from, from+len(run))
		}
		if got != test.want {
			t.Errorf("%v: %q, want %q", test.sizes, got, test.want)
		}
	}
}

// settle waits until all merges are done.
func (f *folder) settle() {
	for {
		f.x.mu.Lock()
		merging := f.x.merging
		f.x.mu.Unlock()
		if merging == nil {
			return
		}
		<-merging
	}
}

func TestMerge(t *testing.T) {
	f := newFolder(t, Options{})
	for uid := uint32(1); uid <= 100; uid++ {
		f.put(uid, fmt.Sprintf("message %d of all", uid))
		f.ok(f.index())
		f.ok(f.x.Flush())
	}
	f.settle()
	if n := len(f.files()); n >= 2*fanIn {
		t.Fatalf("%d files", n)
	}
	f.want("age 77 of", 100, 77)
	f.want("ge 1 of", 100, 1)
	f.kill()
	f.want("age 77 of", 100, 77)
	if uids, _, _ := f.check([]byte("message")); len(uids) != 100 {
		t.Fatalf("%d candidates", len(uids))
	}
}

func TestDrop(t *testing.T) {
	f := newFolder(t, Options{})
	for uid := uint32(1); uid <= 600; uid++ {
		f.put(uid, fmt.Sprintf("message %d of all, %x", uid, uid*uid*uid))
		if uid == 300 {
			f.ok(f.index())
			f.ok(f.x.Flush())
		}
	}
	f.ok(f.index())
	f.ok(f.x.Flush())
	before, _ := dirSize(t, f.opt.Dir)
	for uid := range f.texts {
		if uid%10 != 0 && uid <= 300 {
			delete(f.texts, uid)
		}
	}
	f.x.Drop(func(uid uint32) bool { return uid%10 == 0 || uid > 300 })
	f.settle()
	after, files := dirSize(t, f.opt.Dir)
	if files != 2 || after > before*7/10 {
		t.Fatalf("%d files of %d octets, were %d", files, after, before)
	}
	f.want("age 277 of", 600)
	f.want("age 280 of", 600, 280)
	f.want("age 477 of", 600, 477)

	clear(f.texts)
	f.x.Drop(func(uint32) bool { return false })
	f.settle()
	if after, files := dirSize(t, f.opt.Dir); files != 2 || after > 2*trailerLen {
		t.Fatalf("%d files of %d octets for no message", files, after)
	}
	f.kill()
	f.want("message", 600)
}

// TestLeftOver is a crash between a merge and the removal of what was merged.
func TestLeftOver(t *testing.T) {
	f := newFolder(t, Options{})
	f.opt.FS = &safefile.Faulty{FS: safefile.OS, Fail: func(op safefile.Op) error {
		if op.Kind == "remove" {
			return fmt.Errorf("%v: not now", op)
		}
		return nil
	}}
	f.kill()
	for uid := uint32(1); uid <= 6; uid++ {
		f.put(uid, fmt.Sprintf("message %d of all", uid))
		f.ok(f.index())
		f.ok(f.x.Flush())
		f.settle()
	}
	if n := len(f.files()); n != 7 {
		t.Fatalf("%d files, want 6 and a merged one", n)
	}
	f.opt.FS = safefile.OS
	f.kill()
	f.want("message", 6, 1, 2, 3, 4, 5, 6)
	if n := len(f.files()); n != 3 {
		t.Fatalf("%d files, want 2 and a merged one", n)
	}
}

// TestConcurrent asks, drops and loses files while messages are added.
func TestConcurrent(t *testing.T) {
	const messages = 1500
	text := func(uid uint32) []byte { return fmt.Appendf(nil, "message %d of all, %x", uid, uid*uid*uid) }
	x := Open(Options{Dir: filepath.Join(t.TempDir(), "fts"), Memory: 30_000, Log: quiet})
	var wg sync.WaitGroup
	var harm atomic.Int32 // files to be removed yet
	harm.Store(8)
	done := make(chan struct{})
	for n := range 3 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(9, uint64(n)))
			for {
				select {
				case <-done:
					return
				default:
				}
				uid := 1 + r.Uint32N(messages)
				uids, through, ok := x.Candidates(text(uid))
				if ok && uid <= through && !slices.Contains(uids, uid) {
					t.Errorf("%d is not among %v through %d", uid, uids, through)
				}
				if r.IntN(300) == 0 {
					x.Drop(func(uid uint32) bool { return true })
				}
				if files, _ := filepath.Glob(filepath.Join(x.opt.Dir, "*")); len(files) > 3 && harm.Add(-1) >= 0 {
					x.opt.FS.Remove(files[r.IntN(len(files))])
				}
			}
		})
	}
	for x.Through() < messages {
		for uid := x.Resume() + 1; uid <= messages; uid++ {
			if x.Add(uid, text(uid)) != nil || x.Done(uid) != nil {
				break
			}
		}
	}
	close(done)
	wg.Wait()
	if err := x.Close(); err != nil && !errors.Is(err, ErrLost) {
		t.Fatal(err)
	}
}
