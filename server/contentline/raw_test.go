package contentline

import (
	"fmt"
	"strings"
	"testing"
)

func TestRawMayMatch(t *testing.T) {
	raw := strings.ReplaceAll("SUMMARY:Un d\xc3\n \xa9jeuner\\, at \\nnoon\\; b\\ack\nDESCRIPTION:Stra\n\tße ﬁn ＼ Ⅳ\nX-A:e\u0323\u0301", "\n", "\r\n")
	for _, c := range []struct {
		text string
		in   [UnicodeCasemap + 1]bool // of ASCIICasemap, Octet, UnicodeCasemap
	}{
		{"", [3]bool{true, true, true}},
		{"déjeuner, at", [3]bool{true, true, true}},
		{"DéJEUNER", [3]bool{true, false, true}},
		{"DÉJEUNER", [3]bool{false, false, true}},
		{"at \nnoon; back", [3]bool{true, true, true}},
		{"dinner\nnoon", [3]bool{}},
		{`b\ack`, [3]bool{true, true, true}}, // as it stands
		{"straße", [3]bool{true, false, true}},
		{"ﬁn ＼", [3]bool{true, true, true}},
		{` \ iv`, [3]bool{false, false, true}},
		{"é\u0323", [3]bool{false, false, true}},
		{"Stra  ße", [3]bool{}},
	} {
		for collation, want := range c.in {
			var r Raw
			r.Reset([]byte(raw))
			m := TextMatch{Collation: Collation(collation), Text: c.text}
			if got := r.MayMatch(m); got != want {
				t.Errorf("%q by %s: %v, want %v", c.text, Collations()[collation], got, want)
			}
			if m.Negate = true; !r.MayMatch(m) {
				t.Errorf("not %q by %s: false", c.text, Collations()[collation])
			}
		}
	}
}

func TestRawReset(t *testing.T) {
	var r Raw
	for _, text := range []string{"N:one", "N:two and more", "", "N:three"} {
		r.Reset([]byte(text))
		for _, word := range []string{"one", "two", "three"} {
			if got, want := r.MayMatch(TextMatch{Text: word}), strings.Contains(text, word); got != want {
				t.Errorf("%q has %q: %v, want %v", text, word, got, want)
			}
		}
	}
}

// FuzzRaw looks for parts of values: what TextMatch finds in a value, MayMatch may not deny.
func FuzzRaw(f *testing.F) {
	f.Add("SUMMARY:Lun\r\n ch\\, with\\nwine", uint16(2), uint16(9))
	f.Add("X;A=b:e\u0323\u0301\n\tﬁ", uint16(0), uint16(4))
	f.Add("A:\\\\\\,\u0301\r\nB:\u0301", uint16(0), uint16(20))
	f.Fuzz(func(t *testing.T, text string, from, length uint16) {
		var raw Raw
		raw.Reset([]byte(text))
		for l, err := range Parse(strings.NewReader(text), Limits{}) {
			if err != nil {
				return
			}
			for _, value := range []string{l.Value, Text(l.Value)} {
				runes := []rune(value)
				begin := min(int(from), len(runes))
				part := string(runes[begin:min(begin+int(length), len(runes))])
				for collation := range Collations() {
					m := TextMatch{Collation: Collation(collation)}
					for _, m.Text = range []string{part, Fold(part), strings.ToLower(part)} {
						if m.Matches(value) && !raw.MayMatch(m) {
							t.Fatalf("%q is in %q by %s", m.Text, value, Collations()[collation])
						}
					}
				}
			}
		}
	})
}

func BenchmarkRaw(b *testing.B) {
	var text strings.Builder
	for i := range 20 {
		fmt.Fprintf(&text, "PROPERTY-%d;PARAM=value:What is said about it\\, and more\r\n", i)
	}
	octets := []byte(text.String())
	for collation, name := range Collations() {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(octets)))
			b.ReportAllocs()
			var r Raw
			for b.Loop() {
				if r.Reset(octets); r.MayMatch(TextMatch{Collation: Collation(collation), Text: "none of this"}) {
					b.Fatal("found")
				}
			}
		})
	}
}
