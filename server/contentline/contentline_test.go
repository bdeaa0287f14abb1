package contentline

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

func parseAll(r io.Reader, limits Limits) (lines []Line, err error) {
	for l, err := range Parse(r, limits) {
		if err != nil {
			return lines, err
		}
		lines = append(lines, l)
	}
	return lines, nil
}

func TestParse(t *testing.T) {
	tests := []struct {
		name, text string
		want       []Line
	}{
		{"plain", "BEGIN:VEVENT\r\nsummary:Hi\r\n", []Line{{Name: "BEGIN", Value: "VEVENT", Number: 1}, {Name: "SUMMARY", Value: "Hi", Number: 2}}},
		{"bare line feeds, no last end, empty lines", "A:1\n\n\nB:2", []Line{{Name: "A", Value: "1", Number: 1}, {Name: "B", Value: "2", Number: 4}}},
		{"folded", "A:1\r\n 2\r\n\t3\r\nB: x\r\n", []Line{{Name: "A", Value: "123", Number: 1}, {Name: "B", Value: " x", Number: 4}}},
		{"folded within a character", "A:\xc3\r\n \xa9\r\n", []Line{{Name: "A", Value: "é", Number: 1}}},
		{"folded within the name", "SUM\r\n MARY:x\r\n", []Line{{Name: "SUMMARY", Value: "x", Number: 1}}},
		{"byte order mark", "\uFEFFA:1\r\n", []Line{{Name: "A", Value: "1", Number: 1}}},
		{"parameters", `ATTENDEE;cn="Doe, J.";ROLE=CHAIR;X=a,"b;c",:mailto:a@b` + "\n", []Line{{
			Name: "ATTENDEE", Value: "mailto:a@b", Number: 1,
			Params: []Param{{"CN", []string{"Doe, J."}}, {"ROLE", []string{"CHAIR"}}, {"X", []string{"a", "b;c", ""}}},
		}}},
		{"carets", `A;P=^n^'^^^x^^n:v`, []Line{{Name: "A", Value: "v", Number: 1, Params: []Param{{"P", []string{"\n\"^^x^n"}}}}}},
		{"group", "item1.TEL;TYPE=home:1\n", []Line{{Group: "item1", Name: "TEL", Value: "1", Number: 1, Params: []Param{{"TYPE", []string{"home"}}}}}},
		{"nothing", "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseAll(iotest.OneByteReader(strings.NewReader(tt.text)), Limits{})
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, %v\nwant %+v", got, err, tt.want)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	small := Limits{Octets: 100, Lines: 3, Line: 40, Params: 2, Values: 3}
	tests := []struct{ name, text, want string }{
		{"no colon", "A:1\r\nnonsense\r\n", "line 2: there is no name of a property with a colon in \"nonsense\""},
		{"no name", ":1", "line 1: there is no name"},
		{"no name after the group", "g.:1", "line 1: there is no name"},
		{"begins with a blank", " :1", "line 1: there is no name"},
		{"open quotes", "A:1\n\nB;P=\"x:1\n", "line 3: the quotes of the parameter P do not close"},
		{"no colon after a parameter", "A;P=1", "line 1: no colon ends the parameter P"},
		{"no colon after quotes", `A;P="1"`, "line 1: no colon ends the parameter P"},
		{"text after quotes", `A;P="1"x:`, "line 1: the parameter P goes on after its quotes"},
		{"parameter without a value", "TEL;HOME:1", "line 1: the parameter \"HOME:1\" has no name with an equals sign"},
		{"control", "A:\x00", "line 1: the line has the control character 0x00"},
		{"bare carriage return", "A:1\rB:2\r\n", "line 1: the line has the control character 0x0D"},
		{"not UTF-8", "A:1\nB:\xff\n", "line 2: the line is not UTF-8"},
		{"long line", "A:1\nB:" + strings.Repeat("x", 50), "line 2: a line has more than 40 octets"},
		{"long folded line", "B:" + strings.Repeat("xx\n ", 24), "has more than 40 octets"},
		{"many lines", "A:1\nA:1\nA:1\nA:1\n", "line 4: there are more than 3 lines"},
		{"many octets", strings.Repeat("\n", 101), "line 101: the text has more than 100 octets"},
		{"many parameters", "A;B=1,2,3:", "line 1: the line has more than 2 values of parameters"},
		{"many parameters in all", "A;B=1,2:\nA;B=1:\nA;B=1:", "line 3: there are more than 3 values of parameters"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parseAll(strings.NewReader(tt.text), small)
			var e *Error
			if !errors.As(err, &e) || !strings.Contains(e.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	broken := errors.New("broken")
	if _, err := parseAll(iotest.ErrReader(broken), Limits{}); !errors.Is(err, broken) {
		t.Errorf("a reader's error: got %v", err)
	}
}

func TestWrite(t *testing.T) {
	var b bytes.Buffer
	for _, l := range []Line{
		{Group: "g", Name: "N", Params: []Param{{"CN", []string{"a", "b;c", "\"x\"\n^"}}, {"E", nil}}, Value: "v"},
		{Name: "SUMMARY", Value: strings.Repeat("é", 80)},
		{Name: "X", Value: "a\r\nINJECTED:1\xff"},
	} {
		if err := Write(&b, l); err != nil {
			t.Fatal(err)
		}
	}
	want := "g.N;CN=a,\"b;c\",^'x^'^n^^;E=:v\r\n" +
		"SUMMARY:" + strings.Repeat("é", 33) + "\r\n " + strings.Repeat("é", 37) + "\r\n " + strings.Repeat("é", 10) + "\r\n" +
		"X:aINJECTED:1\r\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
	for line := range strings.Lines(b.String()) {
		if len(line) > 77 {
			t.Errorf("a line of %d octets", len(line))
		}
	}
}

func TestText(t *testing.T) {
	values := []string{`a\b`, "a;b", "c,d", "e\nf", ""}
	if got := SplitText(JoinText(values)); !reflect.DeepEqual(got, values) {
		t.Errorf("got %q, want %q", got, values)
	}
	if got := Text(`a\Nb\x\`); got != "a\nbx\\" {
		t.Errorf("Text: got %q", got)
	}
	if got := Split(`a\;b;c;`, ';'); !reflect.DeepEqual(got, []string{`a\;b`, "c", ""}) {
		t.Errorf("Split: got %q", got)
	}
}

func TestMatch(t *testing.T) {
	tests := []struct {
		m     TextMatch
		value string
		want  bool
	}{
		{TextMatch{Text: "bir"}, "BIRTHDAY", true},
		{TextMatch{Text: "É"}, "é", false},
		{TextMatch{Text: "É", Collation: UnicodeCasemap}, "cafe\u0301", true},
		{TextMatch{Text: "bir", Collation: Octet}, "BIRTHDAY", false},
		{TextMatch{Text: "x", Negate: true}, "BIRTHDAY", true},
		{TextMatch{Text: "birthday", Match: Equals}, "BIRTHDAY", true},
		{TextMatch{Text: "birth", Match: Equals}, "BIRTHDAY", false},
		{TextMatch{Text: "birth", Match: StartsWith}, "BIRTHDAY", true},
		{TextMatch{Text: "birth", Match: EndsWith}, "BIRTHDAY", false},
		{TextMatch{Text: "day", Match: EndsWith}, "BIRTHDAY", true},
	}
	for _, tt := range tests {
		if got := tt.m.Matches(tt.value); got != tt.want {
			t.Errorf("%+v of %q: got %v", tt.m, tt.value, got)
		}
	}
	l := Line{Params: []Param{{"TYPE", []string{"home", "work"}}}}
	for i, f := range []ParamFilter{
		{Name: "TYPE"}, {Name: "PREF", NotDefined: true}, {Name: "TYPE", Text: &TextMatch{Text: "WORK"}},
		{Name: "TYPE", Text: &TextMatch{Text: "cell", Negate: true}},
	} {
		if !f.Matches(l) {
			t.Errorf("filter %d does not match", i)
		}
	}
	for i, f := range []ParamFilter{
		{Name: "PREF"}, {Name: "TYPE", NotDefined: true}, {Name: "TYPE", Text: &TextMatch{Text: "cell"}},
		{Name: "TYPE", Text: &TextMatch{Text: "work", Negate: true}}, {Name: "PREF", Text: &TextMatch{Text: "x", Negate: true}},
	} {
		if f.Matches(l) {
			t.Errorf("filter %d matches", i)
		}
	}
	for i, name := range Collations() {
		if c, err := ParseCollation(name); err != nil || int(c) != i {
			t.Errorf("%s: %v, %v", name, c, err)
		}
	}
	if _, err := ParseCollation("i;basic"); err == nil {
		t.Error("i;basic is known")
	}
}

// FuzzParse wants: what was read is read again the same after it was written.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"BEGIN:VCALENDAR\r\nATTENDEE;CN=\"a;b\";X=^n:mailto:x\r\n y\r\nEND:VCALENDAR\r\n",
		"item1.TEL;TYPE=home,work:\\,1\n\n A:\n", "A;B=\"\"\"x:", "A:\xc3\n \xa9", "\uFEFFA:1",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		lines, _ := parseAll(bytes.NewReader(text), Limits{Octets: 1 << 16, Lines: 1000})
		var b bytes.Buffer
		for _, l := range lines {
			Write(&b, l)
			Text(l.Value)
			Split(l.Value, ';')
		}
		again, err := parseAll(&b, Limits{})
		if err != nil || len(again) != len(lines) {
			t.Fatalf("read again: %d of %d lines, %v", len(again), len(lines), err)
		}
		for i, l := range lines {
			again[i].Number = l.Number
			if !reflect.DeepEqual(again[i], l) {
				t.Fatalf("got %+v, want %+v", again[i], l)
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	text := strings.Repeat("DTSTART;TZID=Europe/Brussels:20260101T100000\r\nSUMMARY:A meeting\r\n of us\r\n", 20)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := parseAll(strings.NewReader(text), Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}
