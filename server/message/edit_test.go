package message

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"facteur/server/envelope"
)

func TestEdit(t *testing.T) {
	const raw = "Received: a\r\n\tb\r\nBcc: x@example.org\r\nSubject: one\r\n two\r\nno field\r\nbcc: y@example.org\r\n\r\nBody\r\n.\r\n"
	bcc := func(_ int, name string) bool { return strings.EqualFold(name, "Bcc") }
	for _, c := range []struct {
		name, in string
		edits    Edits
		want     string
	}{
		{"nothing", raw, Edits{}, raw},
		{"put above", raw, Edits{Prepend: []byte("A: b\r\n")}, "A: b\r\n" + raw},
		{"left out", raw, Edits{Drop: bcc}, "Received: a\r\n\tb\r\nSubject: one\r\n two\r\nno field\r\n\r\nBody\r\n.\r\n"},
		{"replaced", raw, Edits{Replace: map[int][]byte{2: []byte("Subject: three\r\n"), 4: nil}},
			"Received: a\r\n\tb\r\nBcc: x@example.org\r\nSubject: three\r\nno field\r\n\r\nBody\r\n.\r\n"},
		{"replaced, not left out", raw, Edits{Replace: map[int][]byte{1: []byte("To: z@example.org\r\n")}, Drop: func(i int, _ string) bool { return i < 3 }},
			"To: z@example.org\r\nno field\r\nbcc: y@example.org\r\n\r\nBody\r\n.\r\n"},
		{"no place of that number", raw, Edits{Replace: map[int][]byte{99: []byte("A: b\r\n"), -1: nil}}, raw},
		{"a line that is no field", raw, Edits{Drop: func(_ int, name string) bool { return name == "" }}, strings.Replace(raw, "no field\r\n", "", 1)},
		{"no header", "\r\nBody", Edits{Prepend: []byte("A: b\r\n")}, "A: b\r\n\r\nBody"},
		{"nothing at all", "", Edits{Prepend: []byte("A: b\r\n")}, "A: b\r\n"},
		{"no body", "A: b\r\n", Edits{Drop: func(int, string) bool { return true }}, ""},
		{"the first line continues nothing", " x\r\nA: b\r\n\r\n", Edits{}, " x\r\nA: b\r\n\r\n"},
		{"it must not continue what is put above", " x\r\nA: b\r\n\r\n", Edits{Prepend: []byte("C: d\r\n")}, "C: d\r\nA: b\r\n\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, err := ParseHeader([]byte(c.in))
			if err != nil {
				t.Fatal(err)
			}
			checkEdited(t, Edit(envelope.Bytes(c.in), h, c.edits), c.want)
		})
	}
}

// checkEdited reads a body in every way.
func checkEdited(t *testing.T, b envelope.Body, want string) {
	t.Helper()
	if got, err := io.ReadAll(envelope.NewReader(b)); string(got) != want || err != nil {
		t.Fatalf("got %q, %v\nwant %q", got, err, want)
	}
	if b.Size() != int64(len(want)) {
		t.Fatalf("size %d, want %d", b.Size(), len(want))
	}
	var out bytes.Buffer
	if n, err := b.(io.WriterTo).WriteTo(&out); out.String() != want || n != int64(len(want)) || err != nil {
		t.Fatalf("written %q, %d, %v\nwant %q", out.String(), n, err, want)
	}
	if err := iotest.TestReader(envelope.NewReader(b), []byte(want)); err != nil {
		t.Fatal(err)
	}
	step := 1 + len(want)/50
	for off := 0; off <= len(want)+1; off += step {
		for _, n := range []int{0, 1, 7, len(want), len(want) + 3} {
			p := make([]byte, n)
			got, err := b.ReadAt(p, int64(off))
			from := min(off, len(want))
			if string(p[:got]) != want[from:min(from+n, len(want))] || got < n && err != io.EOF {
				t.Fatalf("ReadAt(%d octets, %d): %q, %v", n, off, p[:got], err)
			}
		}
	}
}

// TestEditReadErrors: what can't be read is no end of the message.
func TestEditReadErrors(t *testing.T) {
	const raw = "A: b\r\n\r\nBody\r\n"
	h, err := ParseHeader([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		body envelope.Body
		want error
	}{
		{broken{envelope.Bytes(raw)}, errBroken},
		{longer{envelope.Bytes(raw)}, io.ErrUnexpectedEOF},
	} {
		m := Edit(c.body, h, Edits{Prepend: []byte("C: d\r\n")})
		if _, err := m.(io.WriterTo).WriteTo(io.Discard); !errors.Is(err, c.want) {
			t.Errorf("%T: %v, want %v", c.body, err, c.want)
		}
	}
}

var errBroken = errors.New("broken")

// broken fails behind the header.
type broken struct{ envelope.Bytes }

func (b broken) ReadAt([]byte, int64) (int, error) { return 0, errBroken }

// longer says that it is longer than it is.
type longer struct{ envelope.Bytes }

func (b longer) Size() int64 { return b.Bytes.Size() + 10 }

func FuzzEdit(f *testing.F) {
	for _, s := range awkward {
		f.Add([]byte(crlf(s)), []byte("X: y\r\n"), uint64(5), uint64(2))
		f.Add([]byte(s), []byte{}, uint64(0), uint64(1))
	}
	f.Fuzz(func(t *testing.T, data, with []byte, drop, replace uint64) {
		h, err := ParseHeader(data)
		if err != nil {
			t.Skip()
		}
		edits := Edits{Prepend: with, Drop: func(i int, _ string) bool { return drop>>(i%64)&1 == 1 }, Replace: make(map[int][]byte)}
		want := string(with)
		end := 0
		for i := range h.Len() {
			_, raw := h.Field(i)
			end += len(raw)
			switch {
			case replace>>(i%64)&1 == 1:
				edits.Replace[i] = with
				want += string(with)
			case edits.Drop(i, ""):
			case want != "" && isWSP(raw[0]):
			default:
				want += string(raw)
			}
		}
		checkEdited(t, Edit(envelope.Bytes(data), h, edits), want+string(data[end:]))
	})
}
