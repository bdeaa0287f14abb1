package wire

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/iotest"
)

func TestLine(t *testing.T) {
	r := NewReader(64)
	for _, c := range []struct {
		in   string
		want string
		err  error
	}{
		{"QUIT\r\n", "QUIT", nil},
		{"\r\n", "", nil},
		{strings.Repeat("x", 30) + "\r\n", strings.Repeat("x", 30), nil},
		{strings.Repeat("x", 31) + "\r\n", "", ErrLineTooLong},
		{strings.Repeat("x", 1000) + "\r\n", "", ErrLineTooLong},
		{"NOOP\n", "", ErrBareLF},
		{"\n", "", ErrBareLF},
		{"NO\rOP\r\n", "", ErrBareCR},
		{"NOOP\r\r\n", "", ErrBareCR},
		{"NO\x00OP\r\n", "", ErrNUL},
	} {
		r.Reset(strings.NewReader(c.in+"next\r\n"), nil)
		line, err := r.Line(32)
		if err != c.err || string(line) != c.want {
			t.Errorf("%q: %q, %v", c.in, line, err)
		}
		if line, err := r.Line(32); string(line) != "next" || err != nil {
			t.Errorf("after %q: %q, %v", c.in, line, err)
		}
	}
	for in, want := range map[string]error{
		"":                           io.EOF,
		"QUI":                        io.ErrUnexpectedEOF,
		strings.Repeat("x", 100):     io.ErrUnexpectedEOF,
		strings.Repeat("x", 2000000): ErrEndless,
	} {
		r.Reset(strings.NewReader(in), nil)
		if _, err := r.Line(32); err != want {
			t.Errorf("%.10q: %v, want %v", in, err, want)
		}
	}
}

func TestHasLine(t *testing.T) {
	r := NewReader(64)
	r.Reset(iotest.OneByteReader(strings.NewReader("a\r\n")), nil)
	if r.HasLine() {
		t.Error("a line before anything was read")
	}
	if c, err := r.First(); c != 'a' || err != nil || r.HasLine() || r.Buffered() != 1 {
		t.Errorf("first octet %q, %v, buffered %d", c, err, r.Buffered())
	}
	r.Reset(strings.NewReader("a\r\nb\r\n"), nil)
	r.Line(10)
	if !r.HasLine() {
		t.Error("the second line is not there")
	}
}

func TestWriter(t *testing.T) {
	var out bytes.Buffer
	w := NewWriter(64)
	w.Reset(&out, nil)
	w.Line([]byte("250 one\r\n250 two\x00"))
	if out.Len() != 0 || w.Buffered() == 0 {
		t.Error("sent before Flush")
	}
	if err := w.Flush(); err != nil || out.String() != "250 one  250 two \r\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
}

func TestOctets(t *testing.T) {
	var out bytes.Buffer
	w := NewWriter(16)
	w.Reset(&out, nil)
	w.Line([]byte("+OK"))
	if err := w.Octets([]byte("a\x00\r\n.\r\n, longer than the buffer")); err != nil {
		t.Error(err)
	}
	if err := w.Flush(); err != nil || out.String() != "+OK\r\na\x00\r\n.\r\n, longer than the buffer" {
		t.Errorf("%q, %v", out.String(), err)
	}
	full := errors.New("full")
	w.Reset(failingWriter{full}, nil)
	if err := w.Octets(make([]byte, 17)); err != full || w.Flush() != full {
		t.Errorf("%v, want %v", err, full)
	}
}

func TestTap(t *testing.T) {
	var out bytes.Buffer
	handler := func(level slog.Level) *slog.Logger {
		return slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: level}))
	}
	redact := func(s string) string { return strings.ReplaceAll(s, "hunter2", "***") }
	if NewTap(handler(slog.LevelDebug), redact) != nil {
		t.Error("a tap although the log does not want it")
	}
	tap := NewTap(handler(LevelTrace), redact)
	r, w := NewReader(64), NewWriter(64)
	r.Reset(strings.NewReader("AUTH hunter2\r\nopen sesame\r\nbody\r\n.\r\n"), tap)
	w.Reset(io.Discard, tap)
	r.Line(64)
	r.SecretLine(64)
	r.Dot(NewText(io.Discard, Limits{}))
	w.Line([]byte("250 done"))
	for _, want := range []string{"AUTH ***", "(secret)", "octets=6", "250 done"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in the trace:\n%s", want, out.String())
		}
	}
	for _, secret := range []string{"hunter2", "sesame", "body"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("%q is in the trace:\n%s", secret, out.String())
		}
	}
}

func FuzzLine(f *testing.F) {
	for _, s := range []string{"a\r\nb\r\n", "a\nb\r\n", "\r\r\n", "\x00\r\n", "0123456789abcdefghijklmnop\r\n\r\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		r := NewReader(16)
		r.Reset(strings.NewReader(in), nil)
		left := in
		for {
			line, err := r.Line(16)
			if err == io.EOF || err == io.ErrUnexpectedEOF {
				break
			}
			raw, rest, found := strings.Cut(left, "\n")
			if !found {
				t.Fatalf("%q: %q, %v, but there is no line", in, line, err)
			}
			left = rest
			good := strings.HasSuffix(raw, "\r") && strings.Count(raw, "\r") == 1 &&
				!strings.Contains(raw, "\x00") && len(raw)+1 <= 16
			if good != (err == nil) || good && string(line) != strings.TrimSuffix(raw, "\r") {
				t.Fatalf("%q: line %q as %q, %v", in, raw, line, err)
			}
		}
		if strings.Contains(left, "\n") {
			t.Fatalf("%q: %q was not read", in, left)
		}
	})
}
