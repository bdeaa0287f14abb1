package maildir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"facteur/server/safefile"
)

func TestMakeFolder(t *testing.T) {
	home := t.TempDir()
	want := State{UIDValidity: 1700000000, UIDNext: 1, Use: `\Sent`}
	dir := filepath.Join(home, ".Sent")
	for range 2 { // the second time after a crash
		if err := MakeFolder(safefile.OS, dir, want); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := ReadState(dir); got != want || err != nil {
		t.Error(got, err)
	}
	for _, name := range []string{"cur", "new", "tmp", "maildirfolder"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	if !IsFolder(dir) || IsFolder(home) {
		t.Error("IsFolder")
	}
	if _, err := ReadState(home); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func TestBadState(t *testing.T) {
	dir := t.TempDir()
	for text, want := range map[string]string{
		"":                                 "line 1",
		"facteur-state 2\n":                "line 1",
		"facteur-state 1\nuidvalidity 1\n": "missing",
		"facteur-state 1\nuidvalidity 1\nuidnext 0\n":            "line 3",
		"facteur-state 1\nuidvalidity 1\nuidnext 2\nuse Sent\n":  "line 4",
		"facteur-state 1\nuidvalidity 1\nuidnext 2\ncolour x\n":  "line 4",
		"facteur-state 1\nuidvalidity 1\nuidnext 4294967296\n":   "line 3",
		"facteur-state 1\nuidvalidity 1\n\nuidnext 4\n":          "line 3",
		"facteur-state 1\n" + strings.Repeat("x", maxSmallFile):  "longer",
		"facteur-state 1\nuidvalidity -1\nuidnext 4\n":           "line 2",
		"facteur-state 1\r\nuidvalidity 1\r\nuidnext 2\r\nuse x": "line 1",
	} {
		if err := os.WriteFile(filepath.Join(dir, stateFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := ReadState(dir); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%.50q: %v, %v", text, s, err)
		}
	}
}

func TestKeywordsFile(t *testing.T) {
	dir := t.TempDir()
	if k, err := ReadKeywords(dir); k != (Keywords{}) || err != nil {
		t.Fatal(k, err)
	}
	var want Keywords
	want[0], want[3], want[25] = "$Work", "Later", "NonJunk"
	if err := WriteKeywords(safefile.OS, dir, want); err != nil {
		t.Fatal(err)
	}
	got, err := ReadKeywords(dir)
	if got != want || err != nil {
		t.Error(got, err)
	}
	if f, ok := got.Find("later"); !ok || f != Keyword(3) {
		t.Error(f, ok)
	}
	for _, absent := range []string{"", "Late"} {
		if f, ok := got.Find(absent); ok {
			t.Errorf("%q is %v", absent, f)
		}
	}
	os.WriteFile(filepath.Join(dir, KeywordsFile), []byte("0 a b\r\nx y\n-1 z\n26 z\n2\n3 \n4 ok"), 0o600)
	got, err = ReadKeywords(dir)
	if want = (Keywords{4: "ok"}); got != want || err != nil {
		t.Errorf("%q %v", got, err)
	}
}

func TestSubscriptions(t *testing.T) {
	dir := t.TempDir()
	if names, ok, err := ReadSubscriptions(dir); names != nil || ok || err != nil {
		t.Error(names, ok, err)
	}
	want := []string{"INBOX", "Bücher/neu"}
	if err := WriteSubscriptions(safefile.OS, dir, want); err != nil {
		t.Fatal(err)
	}
	if names, ok, err := ReadSubscriptions(dir); !slices.Equal(names, want) || !ok || err != nil {
		t.Error(names, ok, err)
	}
	if err := WriteSubscriptions(safefile.OS, dir, []string{strings.Repeat("x", maxSmallFile)}); err == nil {
		t.Error("wrote what can't be read")
	}
}

func TestValidity(t *testing.T) {
	dir := t.TempDir()
	if v, err := ReadValidity(dir); v != 0 || err != nil {
		t.Error(v, err)
	}
	if err := WriteValidity(safefile.OS, dir, 1700000000); err != nil {
		t.Fatal(err)
	}
	if v, err := ReadValidity(dir); v != 1700000000 || err != nil {
		t.Error(v, err)
	}
	os.WriteFile(filepath.Join(dir, validityFile), []byte("x"), 0o600)
	if v, err := ReadValidity(dir); err == nil {
		t.Error(v)
	}
}

func TestReadScan(t *testing.T) {
	dir := t.TempDir()
	if _, err := ReadScan(dir, time.Now()); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if err := MakeFolder(safefile.OS, dir, State{UIDValidity: 1, UIDNext: 1}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"new/a", "new/.hidden", "cur/b:2,S", "cur/c:2,"} {
		if err := os.WriteFile(filepath.Join(dir, path), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// What is no regular file is not listed.
	if err := errors.Join(
		os.Mkdir(filepath.Join(dir, "cur/d:2,"), 0o700),
		os.Symlink("b:2,S", filepath.Join(dir, "cur/e:2,")),
		unix.Mkfifo(filepath.Join(dir, "new/f"), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for _, c := range []struct {
		now     time.Time
		settled bool
	}{{now, false}, {now.Add(settle / 2), false}, {now.Add(settle + time.Second), true}} {
		s, err := ReadScan(dir, c.now)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(s.Cur)
		if len(s.New) != 1 || s.New[0] != "a" || len(s.Cur) != 2 || s.Cur[0] != "b:2,S" {
			t.Error(s)
		}
		stamp, err := ReadStamp(filepath.Join(dir, New), filepath.Join(dir, Cur))
		if s.Settled != c.settled || !s.Whole || s.Before != stamp || err != nil {
			t.Errorf("%v later: %+v, %v", c.now.Sub(now), s, err)
		}
	}
}
