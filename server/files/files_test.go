package files

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"facteur/server/address"
	"facteur/server/fault"
	"facteur/server/retention"
	"facteur/server/safefile"
)

var alice, bob = address.MustParse("alice@example.org"), address.MustParse("bob@example.org")

// fixture is a store in a temporary directory.
type fixture struct {
	*testing.T
	dir  string
	opt  Options
	bins *retention.Bins
	// What is removed is kept so long.
	retain time.Duration
	store  *Store
	tree   *Tree
}

func newFixture(t *testing.T, change ...func(*fixture)) *fixture {
	f := &fixture{T: t, dir: t.TempDir(), retain: 24 * time.Hour}
	f.opt = Options{
		Dir: filepath.Join(f.dir, "domains"), Tmp: filepath.Join(f.dir, "tmp"), FS: safefile.Unsynced{FS: safefile.OS},
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	for _, c := range change {
		c(f)
	}
	f.open()
	return f
}

func (f *fixture) open() {
	f.Helper()
	f.bins = retention.New(retention.Options{
		Dir: f.opt.Dir, FS: f.opt.FS, Now: f.opt.Now, Log: f.opt.Log,
		Keep: func(address.Address) (time.Duration, int64) { return f.retain, 0 },
	})
	f.Cleanup(f.bins.Close)
	f.opt.Bins = f.bins
	var err error
	f.store, err = Open(f.opt)
	f.ok(err)
	f.tree, err = f.store.Tree(alice)
	f.ok(err)
	store := f.store
	f.Cleanup(func() {
		known, err := f.tree.Usage()
		if err == nil && f.tree.alive() == nil {
			f.tree.forgetUsage()
			counted, err := f.tree.Usage()
			f.ok(err)
			f.want("usage as counted and as walked", known, counted)
		}
		store.Close()
	})
}

func (f *fixture) ok(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) want(what string, got, want any) {
	f.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		f.Errorf("%s: %v, want %v", what, got, want)
	}
}

// kind is what an error is, in a word.
func kind(err error) string {
	var fa *fault.Fault
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, ErrParent):
		return "parent"
	case errors.Is(err, ErrFolder):
		return "folder"
	case errors.Is(err, ErrExists):
		return "exists"
	case errors.Is(err, ErrSame):
		return "same"
	case errors.As(err, &fa):
		return fmt.Sprint("fault ", fa.Kind)
	}
	return err.Error()
}

var notFound = fmt.Sprint("fault ", fault.NotFound)

// p makes a path of "a/b".
func p(s string) Path {
	if s == "" {
		return nil
	}
	return strings.Split(s, "/")
}

func (f *fixture) put(path, data string) Info {
	f.Helper()
	i, _, err := f.tree.Put(p(path), strings.NewReader(data), PutOptions{Size: int64(len(data))})
	f.ok(err)
	return i
}

func (f *fixture) mkdir(path string) {
	f.Helper()
	f.ok(f.tree.Mkdir(p(path), nil, nil))
}

// all returns every file with its octets, and every folder, of a tree.
func (f *fixture) all(t *Tree) map[string]string {
	f.Helper()
	out := make(map[string]string)
	var walk func(Path)
	walk = func(at Path) {
		list, err := t.List(at)
		f.ok(err)
		for _, i := range list {
			sub := append(slices.Clone(at), i.Name)
			if i.Folder {
				out[strings.Join(sub, "/")+"/"] = ""
				walk(sub)
				continue
			}
			file, opened, err := t.Open(sub)
			f.ok(err)
			b, err := io.ReadAll(file)
			f.ok(err)
			f.ok(file.Close())
			f.want("info", opened, i)
			out[strings.Join(sub, "/")] = string(b)
		}
	}
	walk(nil)
	return out
}

func (f *fixture) holds(want ...string) {
	f.Helper()
	all := f.all(f.tree)
	got := slices.Sorted(maps.Keys(all))
	for i, k := range got {
		if all[k] != "" {
			got[i] = k + "=" + all[k]
		}
	}
	f.want("the tree", strings.Join(got, " "), strings.Join(want, " "))
}

func TestTree(t *testing.T) {
	f := newFixture(t)
	f.holds()
	root, err := f.tree.Stat(nil)
	f.ok(err)
	f.want("root", root.Folder, true)

	one := f.put("a.txt", "one")
	two := f.put("a.txt", "two")
	if one.ETag == two.ETag || one.ETag == "" || one.ETag[0] != '"' {
		t.Errorf("tags %s %s", one.ETag, two.ETag)
	}
	f.mkdir("d")
	f.mkdir("d/e")
	f.put("d/e/b", "b")
	f.holds("a.txt=two", "d/", "d/e/", "d/e/b=b")

	for _, c := range []struct{ what, got, want string }{
		{"put over a folder", kind(second(f.tree.Put(p("d"), strings.NewReader(""), PutOptions{}))), "folder"},
		{"put below nothing", kind(second(f.tree.Put(p("x/y"), strings.NewReader(""), PutOptions{}))), "parent"},
		{"put below a file", kind(second(f.tree.Put(p("a.txt/y"), strings.NewReader(""), PutOptions{}))), "parent"},
		{"put at the root", kind(second(f.tree.Put(nil, strings.NewReader(""), PutOptions{}))), "folder"},
		{"mkdir over a folder", kind(f.tree.Mkdir(p("d"), nil, nil)), "exists"},
		{"mkdir over a file", kind(f.tree.Mkdir(p("a.txt"), nil, nil)), "exists"},
		{"mkdir at the root", kind(f.tree.Mkdir(nil, nil, nil)), "exists"},
		{"mkdir below nothing", kind(f.tree.Mkdir(p("x/y"), nil, nil)), "parent"},
		{"remove nothing", kind(f.tree.Remove(p("x"), nil)), notFound},
		{"remove below nothing", kind(f.tree.Remove(p("x/y"), nil)), notFound},
		{"remove the root", kind(f.tree.Remove(nil, nil)), fmt.Sprint("fault ", fault.NotPossible)},
		{"too few octets", kind(second(f.tree.Put(p("s"), strings.NewReader("x"), PutOptions{Size: 2}))), fmt.Sprint("fault ", fault.Malformed)},
		{"open a folder", func() string { _, _, err := f.tree.Open(p("d")); return kind(err) }(), "folder"},
		{"open nothing", func() string { _, _, err := f.tree.Open(p("x")); return kind(err) }(), notFound},
	} {
		f.want(c.what, c.got, c.want)
	}
	broken := errors.New("broken")
	_, _, err = f.tree.Put(p("s"), iotest.ErrReader(broken), PutOptions{Size: -1})
	f.want("a reader that fails", errors.Is(err, broken), true)
	f.holds("a.txt=two", "d/", "d/e/", "d/e/b=b")
	left, err := os.ReadDir(f.opt.Tmp)
	f.ok(err)
	f.want("temporary files", len(left), 0)
}

func second(_ Info, _ bool, err error) error { return err }

// Each name of any octets is a file of its own, in its folder.
func TestHostileNames(t *testing.T) {
	f := newFixture(t)
	names := []string{".", "..", "../../x", "a/b", "/etc/passwd", ".hidden", ".p~a", ".facteur-properties", ".aside~x", "%2E", "%", "a\x00b", "\xff\xfe", "é", "e\u0301", "\u202etxt.exe", `a\b`, "CON", " ", "a\nb"}
	for i, n := range names {
		_, created, err := f.tree.Put(Path{n}, strings.NewReader(fmt.Sprint(i)), PutOptions{Size: -1})
		if err != nil || !created {
			t.Errorf("%q: %v", n, err)
		}
	}
	all := f.all(f.tree)
	f.want("files", len(all), len(names))
	for i, n := range names {
		f.want(fmt.Sprintf("%q", n), all[n], fmt.Sprint(i))
	}
	on, err := os.ReadDir(f.tree.dir)
	f.ok(err)
	f.want("files on disk", len(on), len(names))
	for _, n := range []string{"", strings.Repeat("x", 241), strings.Repeat("\x00", 81)} {
		if _, _, err := f.tree.Put(Path{n}, strings.NewReader(""), PutOptions{}); !fault.Is(err, fault.NotPossible) {
			t.Errorf("%q: %v", n, err)
		}
	}
	deep := slices.Repeat(Path{strings.Repeat("x", 200)}, 12)
	err = nil
	for i := 0; err == nil && i < len(deep); i++ {
		err = f.tree.Mkdir(deep[:i+1], nil, nil)
	}
	f.want("a path of 2,400 octets", fault.Is(err, fault.NotPossible), true)
}

// Nothing of a person's is taken for what a crash left.
func TestSweep(t *testing.T) {
	f := newFixture(t)
	f.put("facteur-tmp-x", "mine")
	f.put(".aside~x", "mine too")
	f.ok(os.Mkdir(filepath.Join(f.tree.dir, asidePrefix+"y"), 0o700))
	f.ok(os.Symlink(t.TempDir(), filepath.Join(f.tree.dir, asidePrefix+"y", "link")))
	f.store.Close()
	f.open()
	f.put("other", "")
	f.holds(".aside~x=mine too", "facteur-tmp-x=mine", "other")
	left, err := os.ReadDir(f.tree.dir)
	f.ok(err)
	f.want("left in the root", len(left), 3)
}

// Links and devices are not there, and nothing leads through them.
func TestLinks(t *testing.T) {
	f := newFixture(t)
	outside := t.TempDir()
	f.ok(os.WriteFile(filepath.Join(outside, "secret"), []byte("s"), 0o600))
	f.put("a", "a")
	f.ok(os.Symlink(outside, filepath.Join(f.tree.dir, "dir")))
	f.ok(os.Symlink(filepath.Join(outside, "secret"), filepath.Join(f.tree.dir, "file")))
	f.ok(os.WriteFile(filepath.Join(f.tree.dir, "a%41"), []byte("foreign"), 0o600))
	f.holds("a=a", "a%41=foreign")
	f.want("below a link", kind(second(f.tree.Put(p("dir/x"), strings.NewReader("x"), PutOptions{}))), kind(errInWay))
	f.want("over a link", kind(second(f.tree.Put(p("file"), strings.NewReader("x"), PutOptions{}))), kind(errInWay))
	f.want("mkdir over a link", kind(f.tree.Mkdir(p("dir"), nil, nil)), kind(errInWay))
	f.want("stat", kind(second3(f.tree.Stat(p("dir/secret")))), notFound)
	f.want("copy", kind(second2(f.tree.Copy(p("dir"), TransferOptions{Path: p("copy")}))), notFound)
	f.want("move onto", kind(second2(f.tree.Move(p("a"), TransferOptions{Path: p("dir/a")}))), kind(errInWay))
	f.want("remove", kind(f.tree.Remove(p("file"), nil)), notFound)
	f.mkdir("d")
	f.ok(os.Symlink(outside, filepath.Join(f.tree.dir, "d", "l")))
	f.retain = 0
	f.ok(f.tree.Remove(p("d"), nil))
	if _, err := os.Stat(filepath.Join(outside, "secret")); err != nil {
		t.Error(err)
	}
	f.tree.forgetUsage() // another program put files there
}

func second2(_ bool, err error) error { return err }
func second3(_ Info, err error) error { return err }

func TestMoveAndCopy(t *testing.T) {
	f := newFixture(t)
	f.mkdir("d")
	f.put("d/a", "1")
	f.put("b", "2")
	f.ok(f.tree.SetProps(p("d/a"), func(m map[string]string) error { m["{x:}k"] = "v"; return nil }))
	f.ok(f.tree.SetProps(p("d"), func(m map[string]string) error { m["{x:}k"] = "d"; return nil }))

	move := func(from, to string, opt TransferOptions) string {
		opt.Path = p(to)
		created, err := f.tree.Move(p(from), opt)
		return fmt.Sprint(created, " ", kind(err))
	}
	cp := func(from, to string, opt TransferOptions) string {
		opt.Path = p(to)
		created, err := f.tree.Copy(p(from), opt)
		return fmt.Sprint(created, " ", kind(err))
	}
	refuse := errors.New("refused")
	no := func(*Info) error { return refuse }
	for _, c := range []struct{ what, got, want string }{
		{"copy of a folder", cp("d", "e", TransferOptions{}), "true ok"},
		{"onto itself", cp("d", "d", TransferOptions{Overwrite: true}), "false same"},
		{"into itself", cp("d", "d/x", TransferOptions{}), "false same"},
		{"onto a folder above", move("d/a", "d", TransferOptions{Overwrite: true}), "false same"},
		{"the root", cp("", "x", TransferOptions{}), "false same"},
		{"onto the root", cp("d", "", TransferOptions{Overwrite: true}), "false same"},
		{"no parent", cp("d", "x/y", TransferOptions{}), "false parent"},
		{"no source", move("x", "y", TransferOptions{}), "false " + notFound},
		{"no overwrite", cp("b", "d", TransferOptions{}), "false exists"},
		{"the check of the source", cp("b", "c", TransferOptions{Check: no}), "false refused"},
		{"that of the destination", move("b", "c", TransferOptions{CheckTo: no}), "false refused"},
		{"of a folder only itself", cp("d", "shallow", TransferOptions{Shallow: true}), "true ok"},
		{"a file over a folder", cp("b", "e", TransferOptions{Overwrite: true}), "false ok"},
		{"a file with properties", cp("d/a", "f", TransferOptions{}), "true ok"},
		{"moved", move("f", "g", TransferOptions{}), "true ok"},
		{"a folder moved over a file", move("d", "b", TransferOptions{Overwrite: true}), "false ok"},
	} {
		f.want(c.what, c.got, c.want)
	}
	f.holds("b/", "b/a=1", "e=2", "g=1", "shallow/")
	for path, want := range map[string]string{"b/a": "v", "b": "d", "e": "", "g": "v", "shallow": "d"} {
		props, err := f.tree.Props(p(path))
		f.ok(err)
		f.want("property of "+path, props["{x:}k"], want)
	}
	n, err := f.store.Undelete(alice, time.Time{})
	f.ok(err)
	f.want("brought back, what is in nobody's way", n, 0)
	// What was put where something was has none of its properties.
	f.put("g", "again")
	f.ok(f.tree.Remove(p("g"), nil))
	f.put("g", "new")
	props, err := f.tree.Props(p("g"))
	f.ok(err)
	f.want("properties of a new file", len(props), 0)
}

func TestBetweenTrees(t *testing.T) {
	f := newFixture(t)
	other, err := f.store.Tree(bob)
	f.ok(err)
	f.mkdir("d")
	f.put("d/a", "1")
	_, err = f.tree.Copy(p("d"), TransferOptions{To: other, Path: p("copy")})
	f.ok(err)
	_, err = f.tree.Move(p("d"), TransferOptions{To: other, Path: p("moved")})
	f.ok(err)
	f.holds()
	f.want("bob's", len(f.all(other)), 4)
	u, err := other.Usage()
	f.ok(err)
	f.want("bob's usage", u, Usage{Octets: 2, Files: 4})
}

func TestDeleted(t *testing.T) {
	var ahead atomic.Int64 // of the clock
	f := newFixture(t, func(f *fixture) {
		f.opt.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	})
	f.mkdir("d")
	f.mkdir("d/e")
	f.put("d/e/a", "old")
	f.ok(f.tree.Remove(p("d/e/a"), nil))
	f.put("d/e/a", "new")
	f.put("d/b", "b")
	f.ok(f.tree.Remove(p("d"), nil))
	f.holds()
	all, err := f.store.Deleted(alice)
	f.ok(err)
	f.want("deleted", len(all), 2)
	f.want("path", all[0].Path, p("d/e/a"))
	n, err := f.store.Undelete(alice, time.Time{})
	f.ok(err)
	f.want("brought back", n, 1)
	f.holds("d/", "d/b=b", "d/e/", "d/e/a=new")
	ahead.Store(int64(25 * time.Hour))
	f.ok(f.bins.Purge(alice))
	if left, err := os.ReadDir(filepath.Join(f.opt.Dir, alice.Dir(), "deleted")); err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
	f.retain = 0
	f.ok(f.tree.Remove(p("d"), nil))
	f.holds()
	left, err := os.ReadDir(f.tree.dir)
	f.ok(err)
	f.want("left in the root", len(left), 0)
}

func TestBounds(t *testing.T) {
	full := fault.New(fault.OverQuota, "")
	f := newFixture(t, func(f *fixture) {
		f.opt.MaxSize, f.opt.MaxFiles = 10, 5
		f.opt.Room = func(a address.Address, n int64) error {
			u, err := f.store.Usage(a)
			if err == nil && u.Octets+n > 20 {
				err = full
			}
			return err
		}
	})
	tooLarge, over := fmt.Sprint("fault ", fault.TooLarge), kind(full)
	put := func(path string, n int, size int64) string {
		return kind(second(f.tree.Put(p(path), strings.NewReader(strings.Repeat("x", n)), PutOptions{Size: size})))
	}
	f.want("too large, told before", put("a", 11, 11), tooLarge)
	f.want("too large, not told", put("a", 11, -1), tooLarge)
	f.want("fits", put("a", 10, -1), "ok")
	f.want("fits", put("b", 10, 10), "ok")
	f.want("over", put("c", 1, 1), over)
	f.want("over", put("c", 1, -1), over)
	f.want("in its place", put("b", 9, -1), "ok")
	f.want("a copy", kind(second2(f.tree.Copy(p("b"), TransferOptions{Path: p("c")}))), over)
	f.want("properties", kind(f.tree.SetProps(p("b"), func(m map[string]string) error { m["k"] = "v"; return nil })), over)
	for i := range 3 {
		f.mkdir(fmt.Sprint("d", i))
	}
	f.want("too many", kind(f.tree.Mkdir(p("d4"), nil, nil)), over)
	f.want("too many", put("e", 0, 0), over)
}

// Checks are asked with nobody between them and the change.
func TestConcurrency(t *testing.T) {
	f := newFixture(t)
	absent := func(now *Info) error {
		if now != nil {
			return ErrExists
		}
		return nil
	}
	var work sync.WaitGroup
	var mu sync.Mutex
	won := 0
	for i := range 8 {
		work.Go(func() {
			_, created, err := f.tree.Put(p("a"), strings.NewReader(fmt.Sprint(i)), PutOptions{Size: -1, Check: absent})
			mu.Lock()
			defer mu.Unlock()
			if err == nil && created {
				won++
			} else if !errors.Is(err, ErrExists) {
				t.Error(err)
			}
		})
	}
	work.Wait()
	f.want("who was first", won, 1)
}

func TestForget(t *testing.T) {
	f := newFixture(t)
	f.put("a", "a")
	f.store.Forget(alice)
	f.want("a tree that was forgotten", kind(second3(f.tree.Stat(nil))), notFound)
	f.store.Close()
	if _, err := f.store.Tree(alice); !fault.Is(err, fault.Unavailable) {
		t.Error(err)
	}
}

// TestSideBySide: two stores in one account's folder know nothing of each other, also of what
// is deleted; what is discarded does not come back.
func TestSideBySide(t *testing.T) {
	f := newFixture(t)
	opt := f.opt
	opt.Folder = "attachments"
	other, err := Open(opt)
	f.ok(err)
	defer other.Close()
	tree, err := other.Tree(alice)
	f.ok(err)
	for _, in := range []*Tree{f.tree, tree} {
		f.ok(in.Mkdir(p("d"), map[string]string{"k": "v"}, nil))
		_, _, err := in.Put(p("d/a"), strings.NewReader(in.dir), PutOptions{Size: -1})
		f.ok(err)
	}
	f.ok(tree.Remove(p("d"), nil))
	f.holds("d/", "d/a="+f.tree.dir)
	here, err := f.store.Deleted(alice)
	f.ok(err)
	there, err := other.Deleted(alice)
	f.ok(err)
	if len(here) != 0 || len(there) != 1 {
		t.Errorf("%v, %v", here, there)
	}
	for _, c := range []struct {
		store *Store
		name  string
		want  bool
	}{{f.store, "d", false}, {other, "x", false}, {other, "d", true}, {other, "d", false}} {
		back, err := c.store.BringBack(alice, c.name)
		f.ok(err)
		f.want("back "+c.name, back, c.want)
	}
	props, err := tree.Props(p("d"))
	f.ok(err)
	f.want("properties", props, map[string]string{"k": "v"})
	f.ok(tree.Discard(p("d")))
	there, err = other.Deleted(alice)
	f.ok(err)
	if u, err := tree.Usage(); err != nil || u != (Usage{}) || len(there) != 0 {
		t.Errorf("%+v, %v, %v", u, there, err)
	}
}
