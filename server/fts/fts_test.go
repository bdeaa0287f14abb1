package fts

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

var quiet = slog.New(slog.DiscardHandler)

// folder is an index, and the messages that it should know.
type folder struct {
	t     *testing.T
	opt   Options
	x     *Index
	texts map[uint32][][]byte // pieces of each message; nil: a candidate for every string
	last  uint32
}

func newFolder(t *testing.T, opt Options) *folder {
	opt.Dir, opt.Log = filepath.Join(t.TempDir(), "fts"), quiet
	return &folder{t: t, opt: opt, x: Open(opt), texts: map[uint32][][]byte{}}
}

func (f *folder) ok(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// put adds a message to the model; index brings it into the index.
func (f *folder) put(uid uint32, pieces ...string) {
	f.texts[uid] = [][]byte{}
	for _, p := range pieces {
		f.texts[uid] = append(f.texts[uid], []byte(p))
	}
	f.last = uid
}

// index adds what the index does not cover, as the owner of an index does.
func (f *folder) index() error {
	from := f.x.Resume()
	for _, uid := range slices.Sorted(maps.Keys(f.texts)) {
		if uid <= from {
			continue
		}
		pieces := f.texts[uid]
		for _, p := range pieces {
			if err := f.x.Add(uid, p); err != nil {
				return err
			}
		}
		if pieces == nil {
			if err := f.x.Skip(uid); err != nil {
				return err
			}
		} else if err := f.x.Done(uid); err != nil {
			return err
		}
	}
	return nil
}

// check asks for a string and compares with a scan.
func (f *folder) check(text []byte) (uids []uint32, through uint32, ok bool) {
	f.t.Helper()
	uids, through, ok = f.x.Candidates(text)
	if !ok {
		return
	}
	for i, uid := range uids {
		if uid > through || i > 0 && uid <= uids[i-1] {
			f.t.Fatalf("candidates %v through %d", uids, through)
		}
	}
	for uid, pieces := range f.texts {
		if uid <= through && holds(pieces, text) && !slices.Contains(uids, uid) {
			f.t.Fatalf("message %d holds %q and is no candidate of %d through %d", uid, text, len(uids), through)
		}
	}
	return
}

func holds(pieces [][]byte, text []byte) bool {
	return pieces == nil || slices.ContainsFunc(pieces, func(p []byte) bool { return bytes.Contains(p, text) })
}

// want checks that exactly these messages are candidates.
func (f *folder) want(text string, through uint32, want ...uint32) {
	f.t.Helper()
	uids, got, ok := f.check([]byte(text))
	if !ok || got != through || !slices.Equal(uids, want) {
		f.t.Fatalf("%q: %v through %d (%v), want %v through %d", text, uids, got, ok, want, through)
	}
}

// kill opens the index anew as after kill -9.
func (f *folder) kill() {
	f.x.mu.Lock()
	f.x.closed = true
	f.x.mu.Unlock()
	f.x.waitMerge()
	f.x = Open(f.opt)
}

func (f *folder) files() []string {
	names, err := filepath.Glob(filepath.Join(f.opt.Dir, "*"))
	f.ok(err)
	return names
}

func TestCandidates(t *testing.T) {
	f := newFolder(t, Options{})
	f.put(3, "straße nach brüssel")
	f.put(7, "nach", "rom")
	f.put(8)
	f.put(1<<32-1, "einbrüche nach\x80\xff\x00 acht")
	f.ok(f.index())
	for range 2 {
		f.want("nach", 1<<32-1, 3, 7, 1<<32-1)
		f.want("nachrom", 1<<32-1)
		f.want("brü", 1<<32-1, 3, 1<<32-1)
		f.want("aße nach", 1<<32-1, 3)
		f.want("\x80\xff\x00", 1<<32-1, 1<<32-1)
		f.want("rüsselrüssel", 1<<32-1)
		if _, _, ok := f.x.Candidates([]byte("om")); ok {
			t.Fatal("two octets can be told")
		}
		f.ok(f.x.Close())
		f.x = Open(f.opt) // now from the file
	}
}

func TestSkip(t *testing.T) {
	f := newFolder(t, Options{})
	f.texts[5], f.last = nil, 5
	f.put(9, "something")
	many := make([]byte, 600_000) // more trigrams than a message may have
	r := rand.New(rand.NewPCG(1, 2))
	for i := range many {
		many[i] = byte(r.Uint32())
	}
	f.put(10, string(many))
	f.ok(f.index())
	f.want("something", 10, 5, 9, 10)
	f.ok(f.x.Flush())
	f.want("something", 10, 5, 9, 10)
	f.want("nothing", 10, 5, 10)
	if n := len(f.x.set.slots); n > 8*minSlots {
		t.Fatalf("%d slots are kept", n)
	}
}

func TestOrder(t *testing.T) {
	f := newFolder(t, Options{})
	x := f.x
	f.ok(x.Add(5, []byte("text")))
	for _, err := range []error{x.Add(6, nil), x.Done(6), x.Skip(4)} {
		if !errors.Is(err, ErrOrder) {
			t.Fatalf("%v, want ErrOrder", err)
		}
	}
	f.ok(x.Add(5, []byte("more")))
	f.ok(x.Done(5))
	if err := x.Done(5); !errors.Is(err, ErrOrder) {
		t.Fatalf("%v, want ErrOrder", err)
	}
	f.ok(x.Add(6, []byte("forgotten")))
	if got := x.Resume(); got != 5 {
		t.Fatalf("resume after %d", got)
	}
	f.ok(x.Done(8))
	f.want("forgotten", 8)
	f.ok(x.Close())
	f.ok(x.Close())
	for _, err := range []error{x.Add(9, nil), x.Done(9), x.Flush()} {
		if !errors.Is(err, ErrClosed) {
			t.Fatalf("%v, want ErrClosed", err)
		}
	}
	if _, _, ok := x.Candidates([]byte("text")); ok {
		t.Fatal("a closed index answers")
	}
}

func TestTag(t *testing.T) {
	f := newFolder(t, Options{Tag: 1})
	f.put(5, "some text")
	f.ok(f.index())
	f.ok(f.x.Close())
	f.opt.Tag = 2
	f.x = Open(f.opt)
	f.want("some", 0)
	if files := f.files(); len(files) > 0 {
		t.Fatalf("left: %v", files)
	}
}

// TestRandom drives an index with random messages, strings, kills and damage,
// and compares each answer with a scan.
func TestRandom(t *testing.T) {
	rounds, steps := 30, 400
	if testing.Short() {
		rounds = 6
	}
	for seed := range uint64(rounds) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 7))
			alphabets := []string{"ab", "abcdefgh ", "aé€😀 z", "\x00\xff\x80a", "etaoin shrdlu.,é"}
			d := &driver{folder: newFolder(t, Options{Memory: 1 << (8 + r.IntN(10))}), r: r, letters: []rune(alphabets[seed%uint64(len(alphabets))])}
			for range steps {
				d.step()
			}
			d.clean(d.index())
			d.check(d.some(5))
			if err := d.x.Close(); err != nil && !errors.Is(err, ErrLost) {
				t.Fatal(err)
			}
		})
	}
}

// driver takes random steps.
type driver struct {
	*folder
	r       *rand.Rand
	letters []rune
}

// some is a random text.
func (d *driver) some(n int) []byte {
	var text []rune
	for range n {
		text = append(text, d.letters[d.r.IntN(len(d.letters))])
	}
	return []byte(string(text))
}

// clean accepts that a part was lost, and nothing else.
func (d *driver) clean(err error) {
	d.t.Helper()
	for ; err != nil; err = d.index() {
		if !errors.Is(err, ErrLost) {
			d.t.Fatal(err)
		}
	}
}

func (d *driver) step() {
	switch d.r.IntN(40) {
	case 0:
		d.kill()
	case 1:
		d.clean(d.x.Flush())
	case 2:
		if err := d.x.Close(); err != nil && !errors.Is(err, ErrLost) {
			d.t.Fatal(err)
		}
		d.x = Open(d.opt)
	case 3: // a third is expunged
		for _, uid := range slices.Sorted(maps.Keys(d.texts)) {
			if d.r.IntN(3) == 0 {
				delete(d.texts, uid)
			}
		}
		here := map[uint32]bool{}
		for uid := range d.texts {
			here[uid] = true
		}
		top := d.last
		d.x.Drop(func(uid uint32) bool { return here[uid] || uid > top })
	case 4:
		d.damage()
	case 5, 6, 7, 8, 9, 10:
		var pieces []string
		for range d.r.IntN(4) {
			pieces = append(pieces, string(d.some(d.r.IntN(400))))
		}
		d.put(d.last+1+uint32(d.r.IntN(3)), pieces...)
		if d.r.IntN(20) == 0 {
			d.texts[d.last] = nil
		}
	case 11, 12, 13, 14, 15, 16, 17, 18:
		d.clean(d.index())
	default:
		d.check(d.question())
	}
}

// question is a part of a message, or a random string.
func (d *driver) question() []byte {
	for _, uid := range slices.Backward(slices.Sorted(maps.Keys(d.texts))) {
		for _, p := range d.texts[uid] {
			if len(p) > 30 && d.r.IntN(6) == 0 {
				from := d.r.IntN(len(p) - 20)
				return p[from : from+3+d.r.IntN(17)]
			}
		}
	}
	return d.some(3 + d.r.IntN(5))
}

// damage harms a file, or removes one or all of them.
func (d *driver) damage() {
	files := d.files()
	if len(files) == 0 {
		return
	}
	name := files[d.r.IntN(len(files))]
	data, err := os.ReadFile(name)
	if err != nil || len(data) == 0 {
		return // merged meanwhile, or only begun
	}
	switch d.r.IntN(6) {
	case 0:
		os.RemoveAll(d.opt.Dir) // fails when a merge makes a file at that moment
	case 1:
		os.Remove(name)
	case 2:
		os.Truncate(name, d.r.Int64N(int64(len(data)+1)))
	default:
		data[d.r.IntN(len(data))] ^= byte(1 + d.r.IntN(255))
		os.WriteFile(name, data, 0o600)
	}
}
