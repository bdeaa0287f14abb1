package maildir

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"facteur/server/safefile"
)

// uidlistExample is what Dovecot 2.3 wrote, but for one line of garbage and one
// UID above UIDNEXT.
const uidlistExample = "3 V1700000000 N8 Ga1b2c3\n" +
	"2 :1700000001.M1P1.host,S=10,W=12\n" +
	"3 W12 S10 :1700000002.M2P2.host\n" +
	"nonsense\n" +
	"7 :1700000003.M3P3.host,S=10:2,S\n" +
	"9 :1700000004.M4P4.host\n"

func write(t *testing.T, path, data string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestImportDovecot takes a folder over twice, as after a crash.
func TestImportDovecot(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, uidlistFile), uidlistExample)
	write(t, filepath.Join(dir, "cur", "1700000001.M1P1.host,S=10,W=12:2,FS"), "0123456789")
	write(t, filepath.Join(dir, "cur", "1700000003.M3P3.host,S=10:2,Sa"), "0123456789")
	write(t, filepath.Join(dir, "cur", "1700000004.M4P4.host:2,"), "0123456789")
	write(t, filepath.Join(dir, "new", "1700000002.M2P2.host"), "0123456789")
	write(t, filepath.Join(dir, "new", "1700000005.M5P5.host"), "0123456789")
	for range 2 {
		validity, next, err := ImportDovecot(safefile.OS, dir)
		if validity != 1700000000 || next != 8 || err != nil {
			t.Fatal(validity, next, err)
		}
	}
	var got []string
	for _, sub := range []string{New, Cur} {
		names, err := readNames(filepath.Join(dir, sub))
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(names)
		got = append(got, names...)
	}
	want := []string{
		"1700000002.M2P2.host,F=s44we8.3", "1700000005.M5P5.host",
		"1700000001.M1P1.host,S=10,W=12,F=s44we8.2:2,FS", "1700000003.M3P3.host,S=10,F=s44we8.7:2,Sa", "1700000004.M4P4.host:2,",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// TestImportDovecotAbsent meets folders without a list, and with one that is none.
func TestImportDovecotAbsent(t *testing.T) {
	dir := t.TempDir()
	if v, n, err := ImportDovecot(safefile.OS, dir); v != 0 || n != 0 || err != nil {
		t.Error(v, n, err)
	}
	for _, text := range []string{"", "1 2 3\n", "3 V0 N1\n", "3 V1\n", "3 Vx N1\n", "3 V N\n"} {
		write(t, filepath.Join(dir, uidlistFile), text)
		if v, n, err := ImportDovecot(safefile.OS, dir); v != 0 || n != 0 || err == nil {
			t.Errorf("%q: %d %d %v", text, v, n, err)
		}
	}
}

// TestDovecotSubscriptions reads both forms.
func TestDovecotSubscriptions(t *testing.T) {
	for text, want := range map[string][]string{
		"V\t2\n\nLists\tGo\nSent\nEnt&APw-sorgt\n": {"Lists/Go", "Sent", "Entüsorgt"},
		"Lists.Go\nSent\nINBOX\n":                  {"Lists/Go", "Sent", "INBOX"},
		"a..b\n\n":                                 nil,
	} {
		if got := parseDovecotSubscriptions(text); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %q", text, got)
		}
	}
	if _, ok, err := ReadDovecotSubscriptions(t.TempDir()); ok || err != nil {
		t.Error(ok, err)
	}
}

func FuzzUIDList(f *testing.F) {
	f.Add(uidlistExample)
	f.Add("3 V1 N2\n1 :x\n")
	f.Fuzz(func(t *testing.T, data string) {
		l, err := parseUIDList(data)
		if err != nil {
			return
		}
		seen := make(map[uint32]bool)
		for unique, uid := range l.uids {
			if unique == "" || uid == 0 || uid >= l.next || seen[uid] {
				t.Errorf("%q has UID %d of %d", unique, uid, l.next)
			}
			seen[uid] = true
		}
		for _, name := range parseDovecotSubscriptions(data) {
			if c, err := CanonicalFolder(name); err != nil || c != name {
				t.Errorf("%q: %v", name, err)
			}
		}
	})
}
