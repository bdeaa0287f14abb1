package message

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"facteur/server/envelope"
	"facteur/server/fault"
)

func mustHeader(t testing.TB, raw string) *Header {
	t.Helper()
	h, err := ParseHeader([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestHeader(t *testing.T) {
	for _, c := range []struct {
		name, raw string
		size      int
		fields    int
		malformed bool
		a         []string // raw values of "A"
	}{
		{"plain", "A: 1\r\nB: 2\r\na: 3\r\n\r\nbody", 20, 3, false, []string{"1", "3"}},
		{"bare LF", "A: 1\nB: 2\n\nA: body\n", 11, 2, false, []string{"1"}},
		{"mixed line ends", "A: 1\nB: 2\r\n\nA: body\n", 12, 2, false, []string{"1"}},
		{"folded", "A: 1\r\n 2\r\n\t3 \r\nB:\r\n\r\n", 21, 2, false, []string{"1 2\t3"}},
		{"space before the colon", "A : 1\r\n\r\n", 9, 1, false, []string{"1"}},
		{"no body", "A: 1\r\nB: 2\r\n", 12, 2, false, []string{"1"}},
		{"no line end", "A: 1", 4, 1, false, []string{"1"}},
		{"empty", "", 0, 0, false, nil},
		{"empty header", "\r\nA: 1\r\n\r\n", 2, 0, false, nil},
		{"empty header, LF", "\nA: 1\n", 1, 0, false, nil},
		{"garbage goes on", "nonsense\r\nA: 1\r\n\r\n", 18, 2, true, []string{"1"}},
		{"white space first", " A: 0\r\nA: 1\r\n\r\n", 15, 2, true, []string{"1"}},
		{"control character in a name", "A\x00: 0\r\nA: 1\r\n\r\n", 15, 2, true, []string{"1"}},
		{"empty name", ": 0\r\nA: 1\r\n\r\n", 13, 2, true, []string{"1"}},
		{"only white space is no end", "A: 1\r\n \r\nA: 2\r\n\r\n", 17, 2, false, []string{"1", "2"}},
		{"CR in a value", "A: 1\r2\r\n\r\n", 10, 1, false, []string{"1\r2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := mustHeader(t, c.raw)
			if h.Size() != int64(c.size) || h.Len() != c.fields || h.Malformed() != c.malformed {
				t.Errorf("size %d, fields %d, malformed %v", h.Size(), h.Len(), h.Malformed())
			}
			if got := h.RawValues("a"); !slices.Equal(got, c.a) || h.Count("A") != len(c.a) {
				t.Errorf("%q, %d", got, h.Count("A"))
			}
			if string(h.Bytes()) != c.raw[:c.size] {
				t.Errorf("%q", h.Bytes())
			}
		})
	}
}

// counting counts the octets that are read.
type counting struct {
	envelope.Bytes
	read int
}

func (c *counting) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.Bytes.ReadAt(p, off)
	c.read += n
	return n, err
}

func TestHeaderBlocks(t *testing.T) {
	body := bytes.Repeat([]byte("x"), 1<<20)
	for size := headerBlock - 8; size < headerBlock+8; size++ { // the end at each place around a block's
		raw := "A: " + strings.Repeat("v", size-7) + "\r\n\r\n"
		b := &counting{Bytes: append([]byte(raw), body...)}
		h, err := ReadHeader(b)
		if err != nil || h.Size() != int64(size) || b.read > 4*headerBlock {
			t.Fatalf("%d: %v, %d read, %v", size, h.Size(), b.read, err)
		}
	}
}

type failing struct{ envelope.Bytes }

func (failing) ReadAt([]byte, int64) (int, error) { return 0, errors.New("disk on fire") }

type short struct{ envelope.Bytes }

func (short) Size() int64 { return 100 }

func TestHeaderErrors(t *testing.T) {
	if _, err := ReadHeader(failing{envelope.Bytes("A: 1\r\n\r\n")}); err == nil || !fault.Is(fault.As(err), fault.Internal) {
		t.Error(err)
	}
	if _, err := ReadHeader(short{envelope.Bytes("A: 1\r\n\r\n")}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
	big := "A: " + strings.Repeat("v", MaxHeader) + "\r\n\r\n"
	if _, err := ParseHeader([]byte(big)); !fault.Is(err, fault.TooLarge) {
		t.Error(err)
	}
	if _, err := ParseHeader([]byte(big[:MaxHeader-4] + "\r\n\r\nbody")); err != nil {
		t.Error(err)
	}
	many := strings.Repeat("A: 1\r\n", MaxFields)
	if h, err := ParseHeader([]byte(many + "\r\n")); err != nil || h.Count("A") != MaxFields {
		t.Error(err)
	}
	if _, err := ParseHeader([]byte(many + "A: 1\r\n\r\n")); !fault.Is(err, fault.TooLarge) {
		t.Error(err)
	}
}

func TestValues(t *testing.T) {
	for raw, want := range map[string]string{
		"plain":                  "plain",
		"=?utf-8?q?J=C3=B6rg?=":  "Jörg",
		"=?UTF-8?B?SsO2cmc=?= M": "Jörg M",
		"=?iso-8859-1?q?J=F6rg?=\r\n =?utf-8?q?_M?=": "Jörg M",
		"=?windows-1251?q?=CF=F0=E8=E2=E5=F2?=":      "Привет",
		"=?iso-2022-jp?b?GyRCRnxLXBsoQg==?=":         "日本",
		"=?gb18030?b?1tDOxA==?=":                     "中文",
		"=?x-unknown?q?abc=41?=":                     "abcA",
		"=?utf-8?q?broken":                           "=?utf-8?q?broken",
		"=?utf-8?x?abc?=":                            "=?utf-8?x?abc?=",
		"Jörg":                                       "Jörg",
		"J\xf6rg":                                    "Jörg", // raw Latin-1
		"=?utf-8?q?=FF?=":                            "\uFFFD",
	} {
		h := mustHeader(t, "X: 1\r\nSubject: "+raw+"\r\n\r\n")
		if got := h.Values("subject"); len(got) != 1 || got[0] != want || h.Subject() != want {
			t.Errorf("%q: %q, %q, want %q", raw, got, h.Subject(), want)
		}
	}
	if h := mustHeader(t, "X: 1\r\n\r\n"); h.Subject() != "" || h.Values("Subject") != nil {
		t.Error("a subject from nowhere")
	}
}

func TestDate(t *testing.T) {
	for raw, want := range map[string]string{
		"Mon, 02 Jan 2006 15:04:05 -0700":       "2006-01-02T22:04:05Z",
		"2 Jan 2006 15:04:05 GMT (a comment)":   "2006-01-02T15:04:05Z",
		"Mon, 2 Jan 06 15:04 +0000":             "2006-01-02T15:04:00Z",
		"Mon, 02 Jan 2006\r\n 15:04:05 -0700":   "2006-01-02T22:04:05Z",
		"yesterday":                             "0001-01-01T00:00:00Z",
		"":                                      "0001-01-01T00:00:00Z",
		"Mon, 99 Jan 2006 15:04:05 -0700":       "0001-01-01T00:00:00Z",
		"Mon, 02 Jan 20060000 15:04:05 -070000": "0001-01-01T00:00:00Z",
	} {
		h := mustHeader(t, "Date: "+raw+"\r\n\r\n")
		if got := h.Date().UTC().Format(time.RFC3339); got != want {
			t.Errorf("%q: %s, want %s", raw, got, want)
		}
	}
}

// typical is a header as it comes from a large provider.
func typical() []byte {
	var b bytes.Buffer
	for i := range 6 {
		fmt.Fprintf(&b, "Received: from mail-%d.example.net (mail-%d.example.net [192.0.2.%d])\r\n\tby mx.example.org with ESMTPS id abc%d\r\n\tfor <alice@example.org>; Mon, 02 Jan 2006 15:04:05 -0700\r\n", i, i, i, i)
	}
	fmt.Fprintf(&b, "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.net; s=20230601;\r\n        t=1700000000; b=%s\r\n", strings.Repeat("AbCdEfGh/+\r\n         ", 24))
	for _, name := range []string{"From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type", "List-Id", "X-Mailer", "References"} {
		fmt.Fprintf(&b, "%s: a value of some length <with@example.org>\r\n", name)
	}
	return append(b.Bytes(), "\r\nbody\r\n"...)
}

func BenchmarkReadHeader(b *testing.B) {
	raw := envelope.Bytes(append(typical(), bytes.Repeat([]byte("body line\r\n"), 1000)...))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ReadHeader(raw); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzHeader(f *testing.F) {
	f.Add([]byte("A: 1\r\n 2\r\nB: =?utf-8?q?x?=\r\n\r\nbody"))
	f.Add([]byte("nonsense\n A: 1\n\n"))
	f.Add([]byte("\r\n"))
	f.Add(typical())
	f.Fuzz(func(t *testing.T, raw []byte) {
		h, err := ParseHeader(raw)
		if err != nil {
			if !fault.Is(err, fault.TooLarge) {
				t.Fatal(err)
			}
			return
		}
		if h.Size() > int64(len(raw)) {
			t.Fatal("larger than the message")
		}
		again, err := ParseHeader(h.Bytes())
		if err != nil || again.Len() != h.Len() || again.Size() != h.Size() {
			t.Fatalf("read again: %v, %d fields and %d", err, again.Len(), h.Len())
		}
		for _, f := range h.fields {
			name := string(h.raw[f.start : f.start+f.name])
			if name != "" && (h.Count(name) == 0 || len(h.Values(name)) != h.Count(name)) {
				t.Fatalf("field %q is lost", name)
			}
			for _, v := range h.RawValues(name) {
				if strings.Contains(v, "\n") {
					t.Fatalf("%q holds a line end", v)
				}
			}
		}
		h.Date()
		h.Addresses("From")
	})
}
