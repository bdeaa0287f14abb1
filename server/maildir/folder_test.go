package maildir

import (
	"strings"
	"testing"

	"facteur/server/fault"
)

func TestFolderNames(t *testing.T) {
	for _, c := range []struct{ name, canonical, dir string }{
		{"inbox", "INBOX", "."},
		{"Inbox/x", "INBOX/x", ".INBOX.x"},
		{"INBOXES", "INBOXES", ".INBOXES"},
		{"Lists/Go", "Lists/Go", ".Lists.Go"},
		{"Entwu\u0308rfe/2", "Entwürfe/2", ".Entw&APw-rfe.2"},
		{"100% *\"\\", "100% *\"\\", ".100% *\"\\"},
		{" ", " ", ". "},
	} {
		got, err := CanonicalFolder(c.name)
		if err != nil || got != c.canonical || FolderDir(got) != c.dir {
			t.Errorf("%q: %q in %q, %v", c.name, got, FolderDir(got), err)
		}
		if c.dir == "." {
			continue
		}
		if back, ok := FolderName(c.dir); !ok || back != c.canonical {
			t.Errorf("%q: %q, %v", c.dir, back, ok)
		}
	}
	for _, bad := range []string{"", "/", "/a", "a/", "a//b", "a.b", ".", "..", "a\x00", "a\nb", "\x7f", "\u0085", "\xff", strings.Repeat("x", 255), strings.Repeat("é", 100)} {
		if got, err := CanonicalFolder(bad); !fault.Is(err, fault.NotPossible) {
			t.Errorf("%q: %q, %v", bad, got, err)
		}
	}
	if _, err := CanonicalFolder(strings.Repeat("x", 254)); err != nil {
		t.Error(err)
	}
	for dir, want := range map[string]string{".Bücher": "Bücher", ".a.&x": "a/&x", ".a&AC8-b": "a&AC8-b"} {
		if got, ok := FolderName(dir); !ok || got != want {
			t.Errorf("%q: %q, %v", dir, got, ok)
		}
	}
	for _, bad := range []string{"", ".", "..", "cur", ".a.", "..a", ".a..b", ".INBOX", ".inbox.x", ".\xff"} {
		if got, ok := FolderName(bad); ok {
			t.Errorf("%q is the folder %q", bad, got)
		}
	}
}

func FuzzFolderName(f *testing.F) {
	for _, s := range []string{"INBOX", "Lists/Go", "Entwürfe", "&", "&AOk-", "台北/x", "a.b", "\u2028", "İ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if name, ok := FolderName(s); ok {
			if again, err := CanonicalFolder(name); err != nil || again != name {
				t.Fatalf("%q is %q, which is %q, %v", s, name, again, err)
			}
		}
		name, err := CanonicalFolder(s)
		if err != nil {
			return
		}
		dir := FolderDir(name)
		if len(dir) > maxName || strings.ContainsAny(dir, "/\x00") || dir == ".." {
			t.Fatalf("%q lies in %q", name, dir)
		}
		if back, ok := FolderName(dir); dir != "." && (!ok || back != name) {
			t.Fatalf("%q lies in %q, which is %q, %v", name, dir, back, ok)
		}
	})
}
