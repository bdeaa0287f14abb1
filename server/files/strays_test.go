package files

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestStrays: what nobody is shown, or can be read, is told; all else is not.
func TestStrays(t *testing.T) {
	f := newFixture(t)
	told := func(want ...string) {
		t.Helper()
		all, err := f.tree.Strays()
		f.ok(err)
		var got []string
		for _, s := range all {
			got = append(got, s.Path+": "+s.Why)
		}
		f.want("strays", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	told() // there is no tree yet
	f.ok(f.tree.Mkdir(Path{"d"}, map[string]string{"x": "y"}, nil))
	for _, p := range []Path{{"a"}, {"d", ".b"}} {
		_, _, err := f.tree.Put(p, strings.NewReader("octets"), PutOptions{Size: 6})
		f.ok(err)
		f.ok(f.tree.SetProps(p, func(props map[string]string) error { props["x"] = "y"; return nil }))
	}
	at := func(name string) string { return filepath.Join(f.tree.dir, name) }
	f.ok(os.Mkdir(at(asidePrefix+"x"), 0o700))
	told()

	f.ok(os.WriteFile(at("d/.hidden"), nil, 0o600))
	f.ok(os.Mkdir(at(".p~d"), 0o700))
	f.ok(os.WriteFile(at("d/.p~gone"), []byte("{}"), 0o600))
	f.ok(os.WriteFile(at(".p~a"), []byte("nothing of the kind"), 0o600))
	f.ok(os.WriteFile(at(strings.Repeat("x", maxName+1)), nil, 0o600))
	f.ok(os.Symlink("a", at("link")))
	l, err := net.Listen("unix", at("s"))
	if err == nil { // else the path is too long for a socket
		defer l.Close()
	}
	want := []string{
		"files/.p~a: it should have the properties of a file or folder, and can't be read as such",
		"files/.p~d: its name begins with a dot or is too long, so that no program is shown it",
		"files/d/.hidden: its name begins with a dot or is too long, so that no program is shown it",
		"files/d/.p~gone: it has the properties of a file that is not there",
		"files/link: it is neither a file nor a folder",
	}
	if err == nil {
		want = append(want, "files/s: it is neither a file nor a folder")
	}
	told(append(want, "files/"+strings.Repeat("x", maxName+1)+": its name begins with a dot or is too long, so that no program is shown it")...)

	f.ok(f.tree.SetProps(Path{"d"}, func(props map[string]string) error { clear(props); return nil }))
	f.ok(os.RemoveAll(f.tree.dir))
	f.ok(os.WriteFile(f.tree.dir, nil, 0o600))
	told("files: it is no folder")
	f.ok(os.Remove(f.tree.dir))
	f.store.Close()
	if _, err := f.tree.Strays(); err == nil {
		t.Error("the store is closed")
	}
}

// TestStraysUnreadable: what the server may not read is told, with the reason.
func TestStraysUnreadable(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may read everything")
	}
	f := newFixture(t)
	f.ok(os.MkdirAll(filepath.Join(f.tree.dir, "d"), 0o700))
	f.ok(os.WriteFile(filepath.Join(f.tree.dir, "a"), nil, 0))
	f.ok(os.Chmod(filepath.Join(f.tree.dir, "d"), 0))
	t.Cleanup(func() { os.Chmod(filepath.Join(f.tree.dir, "d"), 0o700) })
	all, err := f.tree.Strays()
	f.ok(err)
	f.want("strays", all, "[{files/a it can't be read: permission denied} {files/d it can't be read: permission denied}]")
}
