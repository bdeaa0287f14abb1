package mailbox

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// toCRLF is what indexCRLF should serve, said simply.
func toCRLF(s []byte) []byte {
	var out []byte
	for i, c := range s {
		if c == '\n' && (i == 0 || s[i-1] != '\r') {
			out = append(out, '\r')
		}
		out = append(out, c)
	}
	return out
}

func checkCRLF(t *testing.T, text []byte, off int64, n int) {
	x, err := indexCRLF(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	want := toCRLF(text)
	if x.size != int64(len(want)) {
		t.Fatalf("%.40q: size %d, want %d", text, x.size, len(want))
	}
	got, expect := make([]byte, n), make([]byte, n)
	gn, gerr := x.readAt(bytes.NewReader(text), got, off)
	en, eerr := bytes.NewReader(want).ReadAt(expect, off)
	if gn != en || !bytes.Equal(got[:gn], expect[:en]) || (gerr == nil) != (eerr == nil) {
		t.Fatalf("%.40q: %d octets at %d: %.40q, %v; want %.40q, %v", text, n, off, got[:gn], gerr, expect[:en], eerr)
	}
	if gerr != nil && !errors.Is(gerr, io.EOF) {
		t.Fatal(gerr)
	}
}

func TestCRLF(t *testing.T) {
	long := []byte(strings.Repeat("0123456789\n", 8000))
	straddle := append(bytes.Repeat([]byte("x"), crlfStep-1), "\r\n\n\r"...)
	for _, text := range [][]byte{nil, []byte("\n"), []byte("a\nb\r\nc\r\rd\n\n"), long, straddle} {
		for _, off := range []int64{0, 1, 5, crlfStep - 2, crlfStep - 1, crlfStep, crlfStep + 1, crlfStep + 2, 50000, 95999, 96000, 1 << 40} {
			for _, n := range []int{0, 1, 3, 100000} {
				checkCRLF(t, text, off, n)
			}
		}
	}
}

func FuzzCRLF(f *testing.F) {
	for _, s := range []string{"", "\n", "\r\n", "a\n\r\nb\r", "\n\n\n"} {
		f.Add([]byte(s), int64(0), 10)
		f.Add([]byte(s), int64(2), 1)
	}
	f.Fuzz(func(t *testing.T, text []byte, off int64, n int) {
		if off < 0 || n < 0 || n > 1<<16 {
			return
		}
		checkCRLF(t, text, off, n)
		checkCRLF(t, append(bytes.Repeat([]byte("\n"), crlfStep-1), text...), off, n)
	})
}

func TestContent(t *testing.T) {
	f := newFixture(t, nil)
	f.add(f.inbox, "plain\r\n", `\Seen`)
	c, err := f.inbox.Open(1)
	f.ok(err)
	defer c.Close()
	_, err = f.inbox.Expunge([]UID{1})
	f.ok(err)
	p := make([]byte, 3)
	if _, err := c.ReadAt(p, 2); err != nil || string(p) != "ain" || c.Size() != 7 {
		t.Errorf("after an expunge: %q, %v", p, err)
	}
	// Another program writes into a file.
	f.add(f.inbox, "plain\r\n", `\Seen`)
	path := f.file(f.inbox, ".2:2,S")
	f.ok(os.WriteFile(path, []byte("edited\nin place\n"), 0o600))
	f.want("edited", f.text(f.inbox, 2), "edited\r\nin place\r\n")
	f.ok(os.WriteFile(path, []byte("plain\r\n"), 0o600))
	// A name of ours without its size.
	f.add(f.inbox, "three\r\n", `\Seen`)
	f.reopen()
	path = f.file(f.inbox, ".3:2,S")
	name := filepath.Base(path)
	i, j := strings.Index(name, ",S="), strings.Index(name, ",F=")
	f.ok(os.Rename(path, filepath.Join(f.inbox.at.Load().curDir, name[:i]+name[j:])))
	f.want("without a size", f.text(f.inbox, 3), "three\r\n")
	if msgs := f.messages(f.inbox); msgs[1].Size != 7 {
		t.Error(msgs)
	}
	f.ok(os.Rename(filepath.Join(f.inbox.at.Load().curDir, name[:i]+name[j:]), path))
	f.later()
	f.inbox.Poll()
}
