package imapwire

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// reader is a Decoder over text that comes an octet at a time.
func reader(t testing.TB, text string, opt Options) (*Decoder, *strings.Builder) {
	t.Helper()
	asked := new(strings.Builder)
	if opt.Continue == nil {
		opt.Continue = func(text string) error {
			asked.WriteString("+ " + text + "\n")
			return nil
		}
	}
	return NewDecoder(iotest.OneByteReader(strings.NewReader(text)), opt), asked
}

func TestTokens(t *testing.T) {
	for _, c := range []struct {
		in   string
		read func(*Decoder) any
		want any // nil: a SyntaxError
	}{
		{`abc`, func(d *Decoder) any { return d.Atom() }, "abc"},
		{`abc  `, func(d *Decoder) any { return d.Atom() }, "abc"}, // some clients do
		{` abc`, func(d *Decoder) any { return d.Atom() }, nil},
		{`abc  b`, func(d *Decoder) any { d.Atom(); d.SP(); return d.Atom() }, nil},
		{`a]`, func(d *Decoder) any { return d.AString() }, "a]"},
		{`a]`, func(d *Decoder) any { return d.Atom() }, nil},
		{`(`, func(d *Decoder) any { return d.Atom() }, nil},
		{`body[]`, func(d *Decoder) any { s := d.Keyword(); d.Expect('['); d.Expect(']'); return s }, "BODY"},
		{`Body.Peek`, func(d *Decoder) any { return d.Keyword() }, "BODY.PEEK"},
		{`x-averylongkeywordthatisnotinthetable`, func(d *Decoder) any { return d.Keyword() }, "X-AVERYLONGKEYWORDTHATISNOTINTHETABLE"},
		{`"a\"b\\c"`, func(d *Decoder) any { return d.String() }, `a"b\c`},
		{`""`, func(d *Decoder) any { return d.AString() }, ""},
		{`"a\b"`, func(d *Decoder) any { return d.String() }, nil},
		{`"abc`, func(d *Decoder) any { return d.String() }, nil},
		{"{3}\r\na\r\n", func(d *Decoder) any { return d.String() }, "a\r\n"},
		{"{3+}\r\nabc", func(d *Decoder) any { return d.AString() }, "abc"},
		{"{0}\r\n", func(d *Decoder) any { return d.AString() }, ""},
		{"{3+}\r\na\x00c", func(d *Decoder) any { return d.AString() }, nil},
		{"~{3+}\r\na\x00c", func(d *Decoder) any { return d.AString() }, "a\x00c"},
		{`~x`, func(d *Decoder) any { return d.AString() }, "~x"},
		{`{3`, func(d *Decoder) any { return d.String() }, nil},
		{`{3} `, func(d *Decoder) any { return d.String() }, nil},
		{`{-3}`, func(d *Decoder) any { return d.String() }, nil},
		{`{9223372036854775808}`, func(d *Decoder) any { return d.String() }, nil},
		{`nil`, func(d *Decoder) any { s, ok := d.NString(); return [2]any{s, ok} }, [2]any{"", false}},
		{`"NIL"`, func(d *Decoder) any { s, ok := d.NString(); return [2]any{s, ok} }, [2]any{"NIL", true}},
		{`nilly`, func(d *Decoder) any { s, _ := d.NString(); return s }, nil},
		{`4294967295`, func(d *Decoder) any { return d.Number() }, uint32(4294967295)},
		{`4294967296`, func(d *Decoder) any { return d.Number() }, nil},
		{`0`, func(d *Decoder) any { return d.NzNumber() }, nil},
		{`007`, func(d *Decoder) any { return d.NzNumber() }, uint32(7)},
		{`9223372036854775807`, func(d *Decoder) any { return d.Number64() }, uint64(1<<63 - 1)},
		{`9223372036854775808`, func(d *Decoder) any { return d.Number64() }, nil},
		{`1`, func(d *Decoder) any { return d.NumSet().String() }, "1"},
		{`2,4:7,9,12:*`, func(d *Decoder) any { return d.NumSet().String() }, "2,4:7,9,12:*"},
		{`*:4`, func(d *Decoder) any { return d.NumSet().String() }, "*:4"},
		{`$`, func(d *Decoder) any { s := d.NumSet(); return s.Saved() && s.String() == "$" }, true},
		{`1,,2`, func(d *Decoder) any { return d.NumSet() }, nil},
		{`0`, func(d *Decoder) any { return d.NumSet() }, nil},
		{`1:2:3`, func(d *Decoder) any { return d.NumSet() }, nil},
		{`1-Feb-1994`, func(d *Decoder) any { return d.Date() }, time.Date(1994, 2, 1, 0, 0, 0, 0, time.UTC)},
		{`"01-Feb-1994"`, func(d *Decoder) any { return d.Date() }, time.Date(1994, 2, 1, 0, 0, 0, 0, time.UTC)},
		{`31-Feb-1994`, func(d *Decoder) any { return d.Date() }, nil},
		{`" 7-Feb-1994 21:52:25 -0800"`, func(d *Decoder) any { return d.DateTime().UTC().Format(time.RFC3339) }, "1994-02-08T05:52:25Z"},
		{`"17-Jul-1996 02:44:25 -0700"`, func(d *Decoder) any { return d.DateTime().UTC().Format(time.RFC3339) }, "1996-07-17T09:44:25Z"},
		{`"17-Jul-1996 02:44:25"`, func(d *Decoder) any { return d.DateTime() }, nil},
		{`(\Seen $Forwarded)`, func(d *Decoder) any { return strings.Join(d.Flags(), "|") }, `\Seen|$Forwarded`},
		{`\Seen x`, func(d *Decoder) any { return strings.Join(d.Flags(), "|") }, `\Seen|x`},
		{`()`, func(d *Decoder) any { return len(d.Flags()) }, 0},
		{`(\Seen`, func(d *Decoder) any { return d.Flags() }, nil},
		{`(\ x)`, func(d *Decoder) any { return d.Flags() }, nil},
		{`inbox`, func(d *Decoder) any { return d.Mailbox() }, "INBOX"},
		{`Inbox/x`, func(d *Decoder) any { return d.Mailbox() }, "INBOX/x"},
		{`inboxes`, func(d *Decoder) any { return d.Mailbox() }, "inboxes"},
		{`"~peter/mail/&U,BTFw-/&ZeVnLIqe-"`, func(d *Decoder) any { return d.Mailbox() }, "~peter/mail/台北/日本語"}, // RFC 3501 5.1.3
		{`"R&-D"`, func(d *Decoder) any { return d.Mailbox() }, "R&D"},
		{`"R&D"`, func(d *Decoder) any { return d.Mailbox() }, nil},
		{`&AGE-`, func(d *Decoder) any { return d.Mailbox() }, nil}, // "a" has no business being shifted
		{`"Entwürfe"`, func(d *Decoder) any { return d.Mailbox() }, "Entwürfe"},
		{"\"Entwu\u0308rfe\"", func(d *Decoder) any { return d.Mailbox() }, "Entwürfe"},
		{"\"\xff\"", func(d *Decoder) any { return d.Mailbox() }, nil},
		{`%/&AOk-*`, func(d *Decoder) any { return d.ListMailbox() }, "%/é*"},
		{`"&A%"`, func(d *Decoder) any { return d.ListMailbox() }, "&A%"},
		{`(a (b c))`, func(d *Decoder) any { n := 0; d.List(func() { lists(d, &n) }); return n }, 3},
		{strings.Repeat("(", 40) + strings.Repeat(")", 40), func(d *Decoder) any { n := 0; lists(d, &n); return n }, nil},
	} {
		d, _ := reader(t, "t "+c.in+"\r\n", Options{})
		d.Tag()
		d.SP()
		got := c.read(d)
		d.CRLF()
		err := d.Err()
		if c.want == nil {
			var syntax *SyntaxError
			if !errors.As(err, &syntax) {
				t.Errorf("%q: %v, %v; want a SyntaxError", c.in, got, err)
			}
			continue
		}
		if tm, ok := c.want.(time.Time); ok && err == nil && tm.Equal(got.(time.Time)) {
			continue
		}
		if err != nil || got != c.want {
			t.Errorf("%q: %v, %v; want %v", c.in, got, err, c.want)
		}
	}
}

func lists(d *Decoder, n *int) {
	if d.Peek() != '(' {
		d.Atom()
		*n++
		return
	}
	d.List(func() { lists(d, n) })
}

// login reads the arguments of LOGIN.
func login(d *Decoder) (string, string) {
	d.SP()
	name := d.AString()
	d.SP()
	word := d.AString()
	d.CRLF()
	return name, word
}

func TestLiteralsAreAskedFor(t *testing.T) {
	d, asked := reader(t, "a login {5}\r\nalice {4+}\r\ndemo\r\nb noop\r\n", Options{})
	if tag, word := d.Tag(), ""; tag != "a" {
		t.Fatal(tag, word)
	}
	if d.SP(); d.Keyword() != "LOGIN" {
		t.Fatal(d.Err())
	}
	if name, word := login(d); name != "alice" || word != "demo" || asked.String() != "+ Go on\n" {
		t.Error(name, word, asked, d.Err())
	}
	if d.Tag() != "b" {
		t.Error(d.Err())
	}
}

func TestDiscard(t *testing.T) {
	long := strings.Repeat("x", 300)
	for name, in := range map[string]string{
		"nothing read":          "a x y z\r\n",
		"non-synchronizing":     "a x {5+}\r\nb x\r\n {3+}\r\nc \r z\r\n",
		"refused":               "a x {500}\r\n", // the client waits, and goes on with another command
		"too large":             "a login {200+}\r\n" + strings.Repeat("b NOOP\r\n", 25) + " x\r\n",
		"too long":              "a " + long + "\r\n",
		"too long, and literal": "a " + long + " {8+}\r\nb NOOP\r\n" + long + "\r\n",
		"bare CR":               "a x\rb x\r\n",
		"bare LF":               "a x\n",
		"NUL":                   "a \x00\r\n",
		"no tag":                "* x {3+}\r\nabc\r\n",
	} {
		d, _ := reader(t, in+"z noop\r\n", Options{MaxLine: 100, MaxLiteral: 100})
		d.Tag()
		if d.SP(); d.Keyword() == "LOGIN" {
			login(d)
		}
		d.Fail("bad in any case")
		if err := d.Discard(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if tag := d.Tag(); tag != "z" || d.Err() != nil {
			t.Errorf("%s: goes on with %q, %v", name, tag, d.Err())
		}
	}
}

func TestTagOfLongLine(t *testing.T) {
	d, _ := reader(t, "tag "+strings.Repeat("x", 1000)+"\r\n", Options{MaxLine: 100})
	var syntax *SyntaxError
	if tag := d.Tag(); tag != "tag" || !errors.As(d.Err(), &syntax) || syntax.Code != "TOOBIG" {
		t.Error(tag, d.Err())
	}
}

func TestEndless(t *testing.T) {
	for _, in := range []string{strings.Repeat("x", 3000), "a {2000+}\r\n" + strings.Repeat("x", 3000),
		"a {1+}\r\nx {9223372036854775807+}\r\n" + strings.Repeat("x", 3000)} {
		d, _ := reader(t, in, Options{MaxLine: 100, MaxSkip: 1000})
		d.Tag()
		if err := d.Discard(); !errors.Is(err, ErrEndless) || !d.Broken() {
			t.Errorf("%.10q: %v", in, err)
		}
	}
}

func TestEndOfInput(t *testing.T) {
	for in, want := range map[string]error{
		"":                 io.EOF,
		"a noop":           io.ErrUnexpectedEOF,
		"a x {10+}\r\nabc": io.ErrUnexpectedEOF,
		"a x {3+}\r\nabc":  io.ErrUnexpectedEOF,
	} {
		d, _ := reader(t, in, Options{})
		d.Tag()
		d.SP()
		d.Atom()
		d.SP()
		d.AString()
		d.CRLF()
		if !errors.Is(d.Err(), want) || !errors.Is(d.Discard(), want) {
			t.Errorf("%q: %v, want %v", in, d.Err(), want)
		}
	}
}

func TestStreamedLiteral(t *testing.T) {
	d, asked := reader(t, "a append {6}\r\nab\x00\r\nc ~{2+}\r\nxy)\r\n", Options{MaxLiteral: 1})
	d.Tag()
	d.SP()
	d.Atom()
	d.SP()
	l := d.Literal()
	if l.Size != 6 || !l.Synchronizing() || l.Binary || asked.Len() != 0 {
		t.Errorf("%+v, asked %q", l, asked)
	}
	if b, err := io.ReadAll(l); string(b) != "ab\x00\r\nc" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	d.SP()
	l = d.Literal()
	if l == nil || !l.Binary || l.Synchronizing() {
		t.Fatalf("%+v, %v", l, d.Err())
	}
	d.Expect(')') // what was not read is skipped
	d.CRLF()
	if d.Err() != nil {
		t.Error(d.Err())
	}
}

func TestWaitAndRelease(t *testing.T) {
	r, w := io.Pipe()
	d := NewDecoder(r, Options{Buffers: NewBuffers()})
	go func() {
		io.WriteString(w, "a")
		io.WriteString(w, " noop\r\nb no")
		io.WriteString(w, "op\r\n")
		w.Close()
	}()
	for _, want := range []string{"a", "b"} {
		if err := d.Wait(); err != nil {
			t.Fatal(err)
		}
		if tag := d.Tag(); tag != want {
			t.Errorf("%q, want %q", tag, want)
		}
		d.SP()
		d.TryKeyword("noop")
		d.CRLF()
		d.Release()
	}
	if err := d.Wait(); err != io.EOF || d.buf != nil {
		t.Errorf("%v, a buffer of %d", err, len(d.buf))
	}
}

func TestResolve(t *testing.T) {
	for _, c := range []struct {
		in   string
		last uint32
		want string
	}{
		{"1:3,2:5,7", 10, "1:5,7"},
		{"7,1:3,4", 10, "1:4,7"},
		{"*", 10, "10"},
		{"*:8", 10, "8:10"},
		{"12:*", 10, "10:12"},
		{"*", 0, ""},
		{"5:*", 0, "5"},
		{"4294967295,4294967294:*", 4294967295, "4294967294:4294967295"},
	} {
		d, _ := reader(t, "t "+c.in+"\r\n", Options{})
		d.Tag()
		d.SP()
		got := d.NumSet().Resolve(c.last)
		if s := string(append(NumSet(nil), got...).Append(nil)); s != c.want {
			if !(c.want == "" && len(got) == 0) {
				t.Errorf("%s of %d: %s, want %s", c.in, c.last, s, c.want)
			}
		}
	}
	var s NumSet
	for _, n := range []uint32{1, 2, 3, 5, 7, 8} {
		s = s.Add(n)
	}
	if s.String() != "1:3,5,7:8" || s.Len() != 6 || !s.Contains(5) || s.Contains(6) || s.Contains(9) {
		t.Error(s, s.Len())
	}
}

// An empty line is no command, and no mistake.
func TestEmptyLine(t *testing.T) {
	d, _ := reader(t, "\r\n  \r\na x\r\n", Options{})
	for range 2 {
		if tag := d.Tag(); tag != "" || d.Err() != nil {
			t.Fatalf("%q, %v", tag, d.Err())
		}
	}
	tag := d.Tag()
	d.SP()
	if word := d.Atom(); tag != "a" || word != "x" || d.Err() != nil {
		t.Errorf("%q %q, %v", tag, word, d.Err())
	}
}
