package safefile

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// tree describes the files below dir: "a/b=content", directories as "a/".
func tree(t *testing.T, dir string) string {
	t.Helper()
	var out []string
	filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			t.Fatal(err)
		}
		rel, _ := filepath.Rel(dir, path)
		switch {
		case rel == ".":
		case e.IsDir():
			out = append(out, rel+"/")
		default:
			out = append(out, rel+"="+read(t, path))
		}
		return nil
	})
	return strings.Join(out, " ")
}

// workload runs steps on a Recorder and returns the Recorder.
func workload(t *testing.T, steps string) *Recorder {
	t.Helper()
	rec := NewRecorder(t.TempDir())
	files := make(map[string]File)
	for _, line := range strings.Split(strings.TrimSpace(steps), "\n") {
		f := append(strings.Fields(line), "", "")
		a, b := filepath.Join(rec.root, f[1]), filepath.Join(rec.root, f[2])
		var err error
		switch f[0] {
		case "create":
			files[f[1]], err = rec.Create(a)
		case "append":
			files[f[1]], err = rec.Append(a)
		case "write":
			_, err = files[f[1]].Write([]byte(f[2]))
		case "sync":
			err = files[f[1]].Sync()
		case "rename":
			err = rec.Rename(a, b)
		case "move":
			err = rec.RenameNoReplace(a, b)
		case "link":
			err = rec.Link(a, b)
		case "remove":
			err = rec.Remove(a)
		case "mkdir":
			err = rec.Mkdir(a)
		case "syncdir":
			err = rec.SyncDir(a)
		case "old":
			err = rec.Chtimes(a, time.Unix(1e9, 0))
		default:
			t.Fatal(line)
		}
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	for _, f := range files {
		f.Close()
	}
	return rec
}

func TestReplay(t *testing.T) {
	for _, c := range []struct{ name, steps, want, killed string }{
		{"nothing synced", "create a\nwrite a x\nmkdir d", "", "a=x d/"},
		{"name without content", "create a\nwrite a x\nsyncdir .", "a=", "a=x"},
		{"content of the last sync", "create a\nwrite a x\nsync a\nsyncdir .\nwrite a y", "a=x", "a=xy"},
		{"content without name", "create a\nwrite a x\nsync a", "", "a=x"},
		{"appended", "create a\nwrite a x\nsync a\nsyncdir .\nappend a\nwrite a y\nsync a\nwrite a z", "a=xy", "a=xyz"},
		{"directory without its parent", "mkdir d\ncreate d/a\nsyncdir d", "", "d/ d/a="},
		{"renamed, not synced", "create a\nsyncdir .\nrename a b", "a=", "b="},
		{"replaced", "create a\nwrite a x\nsync a\ncreate b\nsyncdir .\nmove a c\nrename c b\nsyncdir .", "b=x", "b=x"},
		{"removed, not synced", "create a\nsyncdir .\nremove a", "a=", ""},
		{"linked", "create a\nwrite a x\nsync a\nlink a b\nsyncdir .\nremove a", "a=x b=x", "b=x"},
		{"moved, source synced", "mkdir d\nmkdir e\nsyncdir .\ncreate d/a\nsyncdir d\nrename d/a e/b\nsyncdir d", "d/ e/ e/b=", "d/ e/ e/b="},
		{"moved, target synced", "mkdir d\nmkdir e\nsyncdir .\ncreate d/a\nsyncdir d\nrename d/a e/b\nsyncdir e", "d/ e/ e/b=", "d/ e/ e/b="},
		{"moved, neither synced", "mkdir d\nmkdir e\nsyncdir .\ncreate d/a\nsyncdir d\nrename d/a e/b", "d/ d/a= e/", "d/ e/ e/b="},
		{"moved twice", "mkdir d\nmkdir e\nmkdir f\nsyncdir .\ncreate d/a\nsyncdir d\nrename d/a e/a\nrename e/a f/a\nsyncdir f", "d/ e/ f/ f/a=", "d/ e/ f/ f/a="},
	} {
		t.Run(c.name, func(t *testing.T) {
			rec := workload(t, c.steps)
			cut, killed := t.TempDir(), t.TempDir()
			if err := rec.Replay(cut, rec.Len(), nil); err != nil {
				t.Fatal(err)
			}
			if got := tree(t, cut); got != c.want {
				t.Errorf("after a power cut: %s\nwant: %s", got, c.want)
			}
			if err := rec.Replay(killed, rec.Len(), func(string) bool { return true }); err != nil {
				t.Fatal(err)
			}
			if got := tree(t, killed); got != c.killed || got != tree(t, rec.root) {
				t.Errorf("after a kill: %s\nwant: %s\nreally: %s", got, c.killed, tree(t, rec.root))
			}
		})
	}
}

func TestReplayPrefixes(t *testing.T) {
	rec := workload(t, "create a\nwrite a x\nsync a\nsyncdir .\nlink a b\nsyncdir .\nremove a\nsyncdir .")
	var got []string
	for n := range rec.Len() + 1 {
		dir := t.TempDir()
		if err := rec.Replay(dir, n, nil); err != nil {
			t.Fatal(err)
		}
		got = append(got, tree(t, dir))
	}
	want := []string{"", "", "", "", "a=x", "a=x", "a=x b=x", "a=x b=x", "b=x"}
	if !slices.Equal(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
}

func TestReplayWritten(t *testing.T) {
	rec := workload(t, "mkdir d\nmkdir e\nsyncdir .\ncreate d/a\nwrite d/a x\ncreate e/b\nwrite e/b y")
	dir := t.TempDir()
	if err := rec.Replay(dir, rec.Len(), func(p string) bool { return p == "d" || p == "e" || p == "e/b" }); err != nil {
		t.Fatal(err)
	}
	if got := tree(t, dir); got != "d/ d/a= e/ e/b=y" {
		t.Error(got)
	}
}

func TestReplayKeepsLinksAndTimes(t *testing.T) {
	rec := workload(t, "create a\nwrite a x\nold a\nsync a\nlink a b\nsyncdir .")
	dir := t.TempDir()
	if err := rec.Replay(dir, rec.Len(), nil); err != nil {
		t.Fatal(err)
	}
	a, err := os.Stat(filepath.Join(dir, "a"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.Stat(filepath.Join(dir, "b"))
	if err != nil {
		t.Fatal(err)
	}
	if !os.SameFile(a, b) || a.ModTime().Unix() != 1e9 {
		t.Error(a.ModTime(), os.SameFile(a, b))
	}
}

// A draft is on the disk once it is synced, linked, and its directory synced.
func TestReplayDraft(t *testing.T) {
	rec := workload(t, "mkdir d\nsyncdir .")
	d, err := NewDraft(rec, rec.root)
	if err != nil {
		t.Fatal(err)
	}
	d.Write([]byte("x"))
	d.SetTime(time.Unix(1e9, 0))
	d.Sync()
	d.Link(filepath.Join(rec.root, "d/a"))
	rec.SyncDir(filepath.Join(rec.root, "d"))
	d.Move(filepath.Join(rec.root, "b"))
	for n, want := range map[int]string{rec.Len() - 2: "d/", rec.Len() - 1: "d/ d/a=x", rec.Len(): "d/ d/a=x"} {
		dir := t.TempDir()
		if err := rec.Replay(dir, n, nil); err != nil {
			t.Fatal(err)
		}
		if got := tree(t, dir); got != want {
			t.Errorf("after %d operations: %s, want %s", n, got, want)
		}
	}
	if got := tree(t, rec.root); got != "b=x d/ d/a=x" {
		t.Error(got)
	}
}

func TestRecorderRefusesOutside(t *testing.T) {
	rec := NewRecorder(t.TempDir())
	if f, err := rec.Create(filepath.Join(t.TempDir(), "a")); err == nil || f != nil {
		t.Error("recorded a file outside of the root")
	}
	if rec.Len() != 0 {
		t.Error(fmt.Sprint(rec.Ops()))
	}
}
