package wire

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// readDot reads input as a text; rest is what lies behind its end.
func readDot(src io.Reader, lim Limits) (text string, problem error, rest string, err error) {
	r := NewReader(16)
	r.Reset(src, nil)
	var out bytes.Buffer
	t := NewText(&out, lim)
	if err = r.Dot(t); err != nil {
		return "", nil, "", err
	}
	problem = t.Finish()
	b, _ := io.ReadAll(r.br)
	return out.String(), problem, string(b), nil
}

func TestDot(t *testing.T) {
	long := strings.Repeat("x", 98)
	for _, c := range []struct {
		name, in, want string
		problem        error
	}{
		{"empty", ".\r\n", "", nil},
		{"one line", "a\r\n.\r\n", "a\r\n", nil},
		{"empty line", "\r\n.\r\n", "\r\n", nil},
		{"stuffed", "..\r\n..a\r\n.b\r\n...\r\n.\r\n", ".\r\n.a\r\nb\r\n..\r\n", nil},
		{"dots inside", "a.\r\na..b\r\n.\r\n", "a.\r\na..b\r\n", nil},
		{"longest line", long + "\r\n.\r\n", long + "\r\n", nil},
		{"line too long", long + "x\r\n.\r\n", "", ErrLineTooLong},
		{"too large", strings.Repeat("0123456789abcd\r\n", 20) + ".\r\n", "", ErrTooLarge},
		{"NUL", "a\x00b\r\n.\r\n", "", ErrNUL},
		{"8 bit", "\xe9\xff\r\n.\r\n", "\xe9\xff\r\n", nil},
		// SMTP smuggling: none of these ends the text.
		{"LF.LF", "a\n.\nb\r\n.\r\n", "", ErrBareLF},
		{"LF.CRLF", "a\n.\r\nb\r\n.\r\n", "", ErrBareLF},
		{"CRLF.LF", "a\r\n.\nb\r\n.\r\n", "", ErrBareLF},
		{"CR.CR", "a\r.\rb\r\n.\r\n", "", ErrBareCR},
		{"CRLF.CR", "a\r\n.\rb\r\n.\r\n", "", ErrBareCR},
		{"CR.CRLF", "a\r.\r\nb\r\n.\r\n", "", ErrBareCR},
		{"CRLF.CRCRLF", "a\r\n.\r\r\nb\r\n.\r\n", "", ErrBareCR},
		{"CRCRLF.CRLF", "a\r\r\n.\r\n", "", ErrBareCR},
		{"CRLF NUL.CRLF", "a\r\n\x00.\r\nb\r\n.\r\n", "", ErrNUL},
		{"CRLF.NUL CRLF", "a\r\n.\x00\r\nb\r\n.\r\n", "", ErrNUL},
		{"LF first", "\n.\r\nb\r\n.\r\n", "", ErrBareLF},
		{"CR first", "\r.\r\nb\r\n.\r\n", "", ErrBareCR},
		{"LFCR", "a\n\r.\n\rb\r\n.\r\n", "", ErrBareLF},
		{"dot LF first", ".\nb\r\n.\r\n", "", ErrBareLF},
	} {
		t.Run(c.name, func(t *testing.T) {
			const after = "QUIT\r\n"
			for name, src := range map[string]io.Reader{
				"whole": strings.NewReader(c.in + after),
				"bytes": iotest.OneByteReader(strings.NewReader(c.in + after)),
				"half":  iotest.HalfReader(strings.NewReader(c.in + after)),
			} {
				text, problem, rest, err := readDot(src, Limits{Size: 300, Line: 100})
				if err != nil || rest != after {
					t.Fatalf("%s: %v, rest %q", name, err, rest)
				}
				if !errors.Is(problem, c.problem) || c.problem == nil && (problem != nil || text != c.want) {
					t.Errorf("%s: %q, %v", name, text, problem)
				}
			}
		})
	}
}

func TestDotBroken(t *testing.T) {
	for _, in := range []string{"", "a", "a\r\n", "a\r\n.", "a\r\n.\r", "a\n.\n", "a\r\n.\n"} {
		if _, _, _, err := readDot(strings.NewReader(in), Limits{}); err != io.ErrUnexpectedEOF {
			t.Errorf("%q: %v", in, err)
		}
	}
	broken := errors.New("broken")
	if _, _, _, err := readDot(io.MultiReader(strings.NewReader("a\r\n"), iotest.ErrReader(broken)), Limits{}); err != broken {
		t.Errorf("%v", err)
	}
	endless := strings.Repeat("x\r\n", 1000) + ".\r\n"
	if _, _, _, err := readDot(strings.NewReader(endless), Limits{Size: 100, Abandon: 200}); err != ErrEndless {
		t.Errorf("endless: %v", err)
	}
}

func TestTextDestination(t *testing.T) {
	full := errors.New("disk full")
	r := NewReader(4096)
	r.Reset(strings.NewReader("a\r\nb\r\n.\r\nrest"), nil)
	text := NewText(failingWriter{full}, Limits{})
	if err := r.Dot(text); err != nil || text.Finish() != full || text.Size() != 6 || r.Buffered() != 4 {
		t.Errorf("%v, %v, %d", err, text.Err(), text.Size())
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

func TestChunk(t *testing.T) {
	for _, c := range []struct {
		name    string
		chunks  []string
		want    string
		problem error
	}{
		{"dots stay", []string{".\r\n..a\r\n"}, ".\r\n..a\r\n", nil},
		{"no last CRLF", []string{"a\r\nb"}, "a\r\nb\r\n", nil},
		{"CRLF cut in two", []string{"a\r", "\nb\r\n"}, "a\r\nb\r\n", nil},
		{"empty", []string{""}, "", nil},
		{"CR and another octet", []string{"a\r", "b\r\n"}, "", ErrBareCR},
		{"CR last", []string{"a\r"}, "", ErrBareCR},
		{"bare LF", []string{"a", "\n"}, "", ErrBareLF},
		{"NUL", []string{"a\x00"}, "", ErrNUL},
		{"line over chunks", []string{strings.Repeat("x", 60), strings.Repeat("x", 60)}, "", ErrLineTooLong},
		{"too large", []string{strings.Repeat("x\r\n", 60), strings.Repeat("x\r\n", 60)}, "", ErrTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := NewReader(16)
			r.Reset(strings.NewReader(strings.Join(c.chunks, "")+"rest"), nil)
			var out bytes.Buffer
			text := NewText(&out, Limits{Size: 300, Line: 100})
			for _, chunk := range c.chunks {
				if err := r.Chunk(text, int64(len(chunk))); err != nil {
					t.Fatal(err)
				}
			}
			if err := text.Finish(); err != c.problem || err == nil && out.String() != c.want {
				t.Errorf("%q, %v", out.String(), err)
			}
			if rest, _ := io.ReadAll(r.br); string(rest) != "rest" {
				t.Errorf("rest %q", rest)
			}
		})
	}
	r := NewReader(16)
	r.Reset(strings.NewReader("abc"), nil)
	if err := r.Chunk(NewText(io.Discard, Limits{}), 4); err != io.ErrUnexpectedEOF {
		t.Errorf("cut short: %v", err)
	}
	r.Reset(strings.NewReader(strings.Repeat("x", 1000)), nil)
	if err := r.Chunk(NewText(io.Discard, Limits{Size: 10, Abandon: 100}), 1000); err != ErrEndless {
		t.Errorf("endless: %v", err)
	}
}

// model is what a text comes to, found slowly and plainly.
func model(in string, lim Limits) (text string, good bool, rest string, ended bool) {
	raw, rest, ended := "", "", false
	if strings.HasPrefix(in, ".\r\n") {
		return "", true, in[3:], true
	}
	if raw, rest, ended = strings.Cut(in, "\r\n.\r\n"); !ended {
		return "", false, "", false
	}
	good = true
	for _, line := range strings.Split(raw, "\r\n") {
		line = strings.TrimPrefix(line, ".")
		if strings.ContainsAny(line, "\r\n\x00") || len(line)+2 > lim.Line {
			good = false
		}
		text += line + "\r\n"
	}
	return text, good && int64(len(text)) <= lim.Size, rest, true
}

func FuzzDot(f *testing.F) {
	for _, s := range []string{
		".\r\n", "a\r\n.\r\nb", "..\r\n.\r\n", "a\n.\n\r\n.\r\n", "\r.\r\r\n.\r\n", "\r\n\x00.\r\n.\r\n\r\n.\r\n", "...\r\n.a\r\n..\r\n.\r\n.\r\n",
		"0123456789abcdef0123456789abcdef\r\n.\r\n", ".", "\r", "\r\n.\r", "a\r\r\n.\r\n",
	} {
		f.Add(s, uint8(3))
	}
	f.Fuzz(func(t *testing.T, in string, step uint8) {
		lim := Limits{Size: 100, Line: 30}
		text, problem, rest, err := readDot(&stepReader{in, int(step%20) + 1}, lim)
		wantText, good, wantRest, ended := model(in, lim)
		if (err == nil) != ended {
			t.Fatalf("%q: error %v, model ended %v", in, err, ended)
		}
		if !ended {
			return
		}
		if rest != wantRest {
			t.Fatalf("%q: rest %q, model %q", in, rest, wantRest)
		}
		if (problem == nil) != good || good && text != wantText {
			t.Fatalf("%q: %q %v, model %q %v", in, text, problem, wantText, good)
		}
	})
}

// stepReader gives at most step octets at a time.
type stepReader struct {
	in   string
	step int
}

func (r *stepReader) Read(p []byte) (int, error) {
	if r.in == "" {
		return 0, io.EOF
	}
	n := copy(p, r.in[:min(r.step, len(r.in))])
	r.in = r.in[n:]
	return n, nil
}

func BenchmarkDot(b *testing.B) {
	for _, size := range []int{2 << 10, 50 << 10, 1 << 20} {
		line := strings.Repeat("x", 74) + "\r\n"
		msg := strings.Repeat(line, size/len(line)) + ".\r\n"
		b.Run(byteSize(size), func(b *testing.B) {
			r := NewReader(32 << 10)
			src := strings.NewReader("")
			dst := bytes.NewBuffer(make([]byte, 0, size))
			b.SetBytes(int64(len(msg)))
			b.ReportAllocs()
			for b.Loop() {
				src.Reset(msg)
				r.Reset(src, nil)
				dst.Reset()
				t := NewText(dst, Limits{Size: 25 << 20, Line: 1 << 20})
				if err := r.Dot(t); err != nil || t.Finish() != nil {
					b.Fatal(err, t.Err())
				}
			}
		})
	}
}

func byteSize(n int) string {
	return map[int]string{2 << 10: "2KiB", 50 << 10: "50KiB", 1 << 20: "1MiB"}[n]
}
