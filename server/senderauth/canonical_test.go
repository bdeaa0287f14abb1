package senderauth

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"facteur/server/envelope"
)

// canonBody is what a body becomes, told by a hash that only collects.
type collector struct{ strings.Builder }

func (c *collector) Sum(b []byte) []byte { return append(b, c.String()...) }
func (c *collector) Size() int           { return c.Len() }
func (c *collector) BlockSize() int      { return 1 }

func canonBody(c canon, parts ...string) string {
	sum := &bodySum{limit: -1, hash: &collector{}}
	b := bodyCanon{canon: c, sums: []*bodySum{sum}}
	for _, p := range parts {
		b.Write([]byte(p))
	}
	b.finish()
	return string(sum.sum)
}

// TestBody has the examples of RFC 6376 3.4.3 to 3.4.5, and the ends and edges.
func TestBody(t *testing.T) {
	for _, c := range []struct{ in, simple, relaxed string }{
		{" C \r\nD \t E\r\n\r\n\r\n", " C \r\nD \t E\r\n", " C\r\nD E\r\n"}, // RFC 6376 3.4.5
		{"", "\r\n", ""},
		{"\r\n", "\r\n", ""},
		{"\r\n\r\n\r\n", "\r\n", ""},
		{" \t\r\n", " \t\r\n", ""},
		{"a", "a\r\n", "a\r\n"},
		{"a ", "a \r\n", "a\r\n"},
		{"a\r\n \r\n", "a\r\n \r\n", "a\r\n"},
		{"\r\n\r\na\r\n", "\r\n\r\na\r\n", "\r\n\r\na\r\n"},
		{"a\r\n\r\n\r\nb\r\n", "a\r\n\r\n\r\nb\r\n", "a\r\n\r\n\r\nb\r\n"},
		{"\ta  b\t\tc\t\r\n", "\ta  b\t\tc\t\r\n", " a b c\r\n"},
		{"a\nb\n", "a\r\nb\r\n", "a\r\nb\r\n"},
		{"a\rb\r", "a\rb\r\r\n", "a\rb\r\r\n"},
		{"a \r b\r\r\n", "a \r b\r\r\n", "a \r b\r\r\n"},
		{"a\r", "a\r\r\n", "a\r\r\n"},
	} {
		for _, kind := range []canon{simple, relaxed} {
			want := c.simple
			if kind == relaxed {
				want = c.relaxed
			}
			if got := canonBody(kind, c.in); got != want {
				t.Errorf("%q, relaxed %t: %q, want %q", c.in, kind, got, want)
			}
			if got := canonBody(kind, strings.Split(c.in, "")...); got != want {
				t.Errorf("%q octet by octet, relaxed %t: %q, want %q", c.in, kind, got, want)
			}
		}
	}
}

// TestEmptyBody has the hashes that RFC 6376 3.4.3 and 3.4.4 print, for SHA-256.
func TestEmptyBody(t *testing.T) {
	for kind, want := range map[canon]string{
		simple: "frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=", relaxed: "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
	} {
		var sums bodySums
		s := sums.want(kind, -1)
		if err := sums.read(envelope.Bytes("A: b\r\n\r\n"), 8); err != nil {
			t.Fatal(err)
		}
		if got := base64.StdEncoding.EncodeToString(s.sum); got != want {
			t.Errorf("relaxed %t: %s", kind, got)
		}
	}
}

// TestField has the examples of RFC 6376 3.4.5.
func TestField(t *testing.T) {
	for _, c := range []struct{ in, simple, relaxed string }{
		{"A: X\r\n", "A: X\r\n", "a:X\r\n"},
		{"B : Y\t\r\n\tZ  \r\n", "B : Y\t\r\n\tZ  \r\n", "b:Y Z\r\n"},
		{"C:\r\n", "C:\r\n", "c:\r\n"},
		{"C: \r\n \t\r\n", "C: \r\n \t\r\n", "c:\r\n"},
		{"D: x", "D: x\r\n", "d:x\r\n"},
		{"E: x\n y\n", "E: x\r\n y\r\n", "e:x y\r\n"},
		{"F:\tx:\ty ;\r\n", "F:\tx:\ty ;\r\n", "f:x: y ;\r\n"},
	} {
		if got := string(appendField(nil, simple, []byte(c.in))); got != c.simple {
			t.Errorf("%q simple: %q", c.in, got)
		}
		if got := string(appendField([]byte("before"), relaxed, []byte(c.in))); got != "before"+c.relaxed {
			t.Errorf("%q relaxed: %q", c.in, got)
		}
	}
}

// TestLimits: several hashes of one body, in blocks, each of its own length.
func TestLimits(t *testing.T) {
	text := strings.Repeat("0123456789 \r\n", 3*blockSize/10)
	whole := canonBody(relaxed, text)
	var sums bodySums
	limits := []int64{0, 1, blockSize - 1, blockSize, blockSize + 1, int64(len(whole)), int64(len(whole)) + 1, -1}
	var all []*bodySum
	for _, l := range limits {
		all = append(all, sums.want(relaxed, l))
	}
	if sums.want(relaxed, -1) != all[len(all)-1] {
		t.Error("the same hash twice")
	}
	if err := sums.read(envelope.Bytes("\r\n"+text), 2); err != nil {
		t.Fatal(err)
	}
	for i, l := range limits {
		part := whole
		if l >= 0 {
			part = whole[:min(int(l), len(whole))]
		}
		want := sha256.Sum256([]byte(part))
		if !slices.Equal(all[i].sum, want[:]) || all[i].total != int64(len(whole)) {
			t.Errorf("%d: wrong hash, or %d octets", l, all[i].total)
		}
	}
}
