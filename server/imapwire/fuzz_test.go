package imapwire

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// call does with a Decoder what one octet says.
func call(d *Decoder, op byte) {
	switch op % 28 {
	case 0:
		d.Tag()
	case 1:
		d.Atom()
	case 2:
		d.Keyword()
	case 3:
		d.AString()
	case 4:
		_ = d.String()
	case 5:
		d.NString()
	case 6:
		d.Mailbox()
	case 7:
		d.ListMailbox()
	case 8:
		d.Number()
	case 9:
		d.Number64()
	case 10:
		d.NzNumber()
	case 11:
		d.SP()
	case 12:
		d.TrySP()
	case 13:
		d.Expect('(')
	case 14:
		d.TryKeyword("BODY")
	case 15:
		d.Peek()
	case 16:
		d.CRLF()
	case 17:
		d.NumSet().Resolve(100)
	case 18:
		d.Date()
	case 19:
		d.DateTime()
	case 20:
		d.Flags()
	case 21:
		d.List(func() { d.AString() })
	case 22:
		if l := d.Literal(); l != nil {
			_, _ = io.CopyN(io.Discard, l, 10)
		}
	case 23:
		_ = d.Discard()
	case 24:
		d.Release()
	case 25:
		_ = d.Wait()
	case 26:
		d.SetUTF8(op&128 != 0)
	case 27:
		d.Line()
	}
}

// Any input, in any order of calls: no panic, no endless loop, no more memory
// than the bounds allow, and Discard always leads to a command or to the end.
func FuzzDecoder(f *testing.F) {
	f.Add([]byte("a LOGIN {5}\r\nalice \"x\"\r\nb NOOP\r\n"), []byte{0, 11, 2, 11, 3, 11, 3, 16, 0, 11, 2, 16})
	f.Add([]byte("a FETCH 1:*,3 (FLAGS BODY[]<0.5>)\r\n"), []byte{0, 11, 2, 11, 17, 11, 21, 23, 0})
	f.Add([]byte("a x {70000+}\r\n"), []byte{0, 11, 2, 11, 22, 15, 23})
	f.Add([]byte("a STORE 1 +FLAGS (\\Seen $x)\r\nDONE\r\n"), []byte{0, 11, 2, 11, 17, 11, 2, 11, 20, 16, 25, 27})
	f.Add([]byte("a APPEND &AOk- \" 7-Feb-1994 21:52:25 -0800\" ~{3}\r\nabc\r\n"), []byte{0, 11, 2, 11, 6, 11, 19, 11, 22, 16})
	f.Fuzz(func(t *testing.T, in, ops []byte) {
		if len(ops) > 200 {
			return
		}
		for _, src := range []io.Reader{bytes.NewReader(in), iotest.OneByteReader(bytes.NewReader(in))} {
			asked := 0
			d := NewDecoder(src, Options{
				Continue: func(string) error { asked++; return nil }, MaxLine: 200, MaxLiteral: 100, MaxSkip: 1000, Buffers: NewBuffers(),
			})
			for _, op := range ops {
				call(d, op)
			}
			if len(d.buf) > 2*readBuffer {
				t.Errorf("a buffer of %d", len(d.buf))
			}
			for range len(in) + 1 {
				if err := d.Discard(); err != nil {
					return
				}
				d.Tag()
			}
			if d.Err() == nil {
				t.Error("more commands than octets")
			}
		}
	})
}

// What the Encoder writes the Decoder reads.
func FuzzRoundTrip(f *testing.F) {
	f.Add("a\"b\\", "台北/é&x", uint32(5), uint32(9))
	f.Add("line\r\nend", "INBOX", uint32(1), uint32(0))
	f.Fuzz(func(t *testing.T, text, name string, a, b uint32) {
		if strings.IndexByte(text, 0) >= 0 || strings.IndexByte(name, 0) >= 0 || len(text)+len(name) > 20_000 || a == 0 {
			return
		}
		for _, utf8 := range []bool{false, true} {
			var out bytes.Buffer
			e := NewEncoder(&out, nil)
			e.SetUTF8(utf8)
			e.Raw("t ").String(text).SP().AString(text).SP().Mailbox(name).SP().NumSet(NumSet{{a, b}}).SP().Number(uint64(a)).CRLF()
			if err := e.Flush(); err != nil {
				t.Fatal(err)
			}
			d := NewDecoder(&out, Options{})
			d.SetUTF8(utf8)
			d.Tag()
			d.SP()
			s1 := d.String()
			d.SP()
			s2 := d.AString()
			d.SP()
			box := d.AString()
			d.SP()
			set := d.NumSet()
			d.SP()
			n := d.Number()
			d.CRLF()
			if d.Err() != nil || s1 != text || s2 != text || n != a || set[0] != (Range{a, b}) {
				t.Errorf("%q, %q, %v, %d, %v", s1, s2, set, n, d.Err())
			}
			if got, ok := d.name(box); validName(name) && (!ok || got != name) {
				t.Errorf("%q on the wire, %q, want %q", box, got, name)
			}
		}
	})
}

// validName tells whether a name is one that goes both ways: UTF-8 in NFC.
func validName(name string) bool {
	d := NewDecoder(nil, Options{})
	d.SetUTF8(true)
	same, ok := d.name(name)
	return ok && same == name
}
