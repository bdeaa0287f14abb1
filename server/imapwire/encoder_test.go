package imapwire

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestEncoder(t *testing.T) {
	for _, c := range []struct {
		write func(*Encoder)
		want  string
		utf8  string // with SetUTF8; "" as want
	}{
		{func(e *Encoder) { e.String("") }, `""`, ""},
		{func(e *Encoder) { e.String(`a"b\c`) }, `"a\"b\\c"`, ""},
		{func(e *Encoder) { e.String("a\r\nb") }, "{4}\r\na\r\nb", ""},
		{func(e *Encoder) { e.String("é") }, "{2}\r\né", `"é"`},
		{func(e *Encoder) { e.String("\xff") }, "{1}\r\n\xff", ""},
		{func(e *Encoder) { e.String(strings.Repeat("x", 1025)) }, "{1025}\r\n" + strings.Repeat("x", 1025), ""},
		{func(e *Encoder) { e.NString("", false).SP().NString("x", true) }, `NIL "x"`, ""},
		{func(e *Encoder) { e.AString("abc]").SP().AString("a b").SP().AString("nil").SP().AString("") }, `abc] "a b" "nil" ""`, ""},
		{func(e *Encoder) { e.Mailbox("INBOX") }, "INBOX", ""},
		{func(e *Encoder) { e.Mailbox("~peter/mail/台北/日本語") }, "~peter/mail/&U,BTFw-/&ZeVnLIqe-", `"~peter/mail/台北/日本語"`}, // RFC 3501 5.1.3
		{func(e *Encoder) { e.Mailbox("R&D") }, "R&-D", "R&D"},
		{func(e *Encoder) { e.Number(1<<64 - 1).Byte(' ').Atom("x") }, "18446744073709551615 x", ""},
		{func(e *Encoder) { e.NumSet(NumSet{{1, 3}, {5, 0}}).SP().NumSet(NumSet{}) }, "1:3,5:* $", ""},
		{func(e *Encoder) { e.DateTime(time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", -5400))) }, `" 2-Jan-2026 03:04:05 -0130"`, ""},
		{func(e *Encoder) { e.Literal(3, strings.NewReader("abcdef")).CRLF() }, "{3}\r\nabc\r\n", ""},
		{func(e *Encoder) { e.Literal8(2, strings.NewReader("\x00a")).Raw(")") }, "~{2}\r\n\x00a)", ""},
		{func(e *Encoder) { e.Literal(0, strings.NewReader("")).Bytes([]byte(")")) }, "{0}\r\n)", ""},
	} {
		for _, utf8 := range []bool{false, true} {
			var out bytes.Buffer
			e := NewEncoder(&out, NewBuffers())
			e.SetUTF8(utf8)
			c.write(e)
			want := c.want
			if utf8 && c.utf8 != "" {
				want = c.utf8
			}
			if err := e.Release(); err != nil || out.String() != want {
				t.Errorf("%.60q, %v, want %.60q", out.String(), err, want)
			}
		}
	}
}

// large returns a text larger than any buffer.
func large() string { return strings.Repeat("0123456789abcde\n", 200_000/16) }

func TestLargeLiteral(t *testing.T) {
	want := "* {200000}\r\n" + large() + ")\r\n"
	path := filepath.Join(t.TempDir(), "message")
	if err := os.WriteFile(path, []byte(large()), 0o600); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	for name, to := range map[string]func() (io.WriteCloser, func() string){
		"a writer": func() (io.WriteCloser, func() string) {
			out := new(closeBuffer)
			return out, out.String
		},
		"a socket": func() (io.WriteCloser, func() string) {
			c, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			far, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			got := make(chan string, 1)
			go func() {
				defer far.Close()
				b, _ := io.ReadAll(far)
				got <- string(b)
			}()
			return c, func() string { return <-got }
		},
	} {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		w, text := to()
		e := NewEncoder(w, NewBuffers())
		e.Raw("* ").Literal(200_000, f).Raw(")").CRLF()
		if err := e.Flush(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		w.Close()
		f.Close()
		if text() != want {
			t.Errorf("%s: what came is something else", name)
		}
	}
}

type closeBuffer struct{ bytes.Buffer }

func (*closeBuffer) Close() error { return nil }

func TestShortLiteral(t *testing.T) {
	for _, size := range []int64{10, 100_000, 10_000_000} {
		var out bytes.Buffer
		e := NewEncoder(&out, nil)
		e.Literal(size, strings.NewReader("abc")).Raw(")")
		if err := e.Flush(); !errors.Is(err, ErrShortLiteral) {
			t.Errorf("%d: %v", size, err)
		}
		if strings.HasSuffix(out.String(), ")") {
			t.Errorf("%d: it goes on behind what is missing", size)
		}
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestBrokenWriter(t *testing.T) {
	e := NewEncoder(brokenWriter{}, NewBuffers())
	for range 1000 {
		e.Raw(strings.Repeat("x", 1000)).Literal(100_000, strings.NewReader(large()))
	}
	if e.Err() != io.ErrClosedPipe || e.Buffered() > 2*writeBuffer {
		t.Error(e.Err(), e.Buffered())
	}
}

// A response at a time: what a FETCH of flags costs to write.
func BenchmarkEncoder(b *testing.B) {
	e := NewEncoder(io.Discard, NewBuffers())
	b.ReportAllocs()
	for b.Loop() {
		e.Raw("* ").Number(12345).Raw(" FETCH (UID ").Number(67890).Raw(` FLAGS (\Seen \Answered))`).CRLF()
	}
}

func BenchmarkDecoder(b *testing.B) {
	const line = "a001 UID FETCH 1:500,700:* (UID FLAGS BODY.PEEK[HEADER.FIELDS (From To Subject Date)])\r\n"
	text := strings.Repeat(line, 1000)
	src := strings.NewReader(text)
	d := NewDecoder(src, Options{Buffers: NewBuffers()})
	b.ReportAllocs()
	b.SetBytes(int64(len(line)))
	for b.Loop() {
		if src.Len() == 0 && !d.Buffered() {
			src.Reset(text)
		}
		d.Tag()
		d.SP()
		d.Keyword()
		d.SP()
		d.Keyword()
		d.SP()
		d.NumSet()
		d.SP()
		d.List(func() {
			if d.Keyword(); d.Try('[') {
				d.Keyword()
				d.SP()
				d.List(func() { d.AString() })
				d.Expect(']')
			}
		})
		d.CRLF()
		if d.Err() != nil {
			b.Fatal(d.Err())
		}
	}
}

// A buffer that is just full takes no octet, and has to go out before.
func TestCopyFullBuffer(t *testing.T) {
	var out strings.Builder
	e := NewEncoder(&out, nil)
	full := strings.Repeat("x", cap(e.room()))
	if err := e.Raw(full).Copy(3, strings.NewReader("abc")).Flush(); err != nil || out.String() != full+"abc" {
		t.Errorf("%v, %d octets", err, out.Len())
	}
}
