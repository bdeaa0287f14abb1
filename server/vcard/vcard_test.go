package vcard

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"facteur/server/contentline"
)

// card wraps properties.
func card(t *testing.T, lines ...string) *Card {
	t.Helper()
	c, err := Parse(strings.NewReader("BEGIN:VCARD\n" + strings.Join(lines, "\n") + "\nEND:VCARD\n"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func body(c *Card) string {
	s := strings.ReplaceAll(string(c.Append(nil)), "\r\n", "\n")
	return strings.TrimSuffix(strings.TrimPrefix(s, "BEGIN:VCARD\n"), "\nEND:VCARD\n")
}

func TestParse(t *testing.T) {
	text := "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:1\\,2\r\nFN:A B\r\nitem1.TEL;TYPE=HOME,pref:1\r\nX-OWN:x\r\nEND:VCARD\r\n"
	c, err := ParseBytes([]byte(text))
	if err != nil || c.UID() != "1,2" || c.Version() != "3.0" || c.Check() != nil {
		t.Fatalf("got %+v, %v, %v", c, err, c.Check())
	}
	var b bytes.Buffer
	if err := c.Write(&b); err != nil || b.String() != text {
		t.Errorf("%v, got\n%s", err, b.String())
	}
	n := 0
	for c, err := range All(strings.NewReader(text+"\r\n"+text), contentline.Limits{}) {
		if n++; err != nil || c.UID() != "1,2" {
			t.Errorf("%+v, %v", c, err)
		}
	}
	if n != 2 {
		t.Errorf("%d cards", n)
	}
}

func TestErrors(t *testing.T) {
	tests := []struct {
		text, want string
		cause      error
	}{
		{"", "there is no vCard", nil},
		{"A:1\n", "line 1: A stands outside of VCARD", nil},
		{"BEGIN:VCALENDAR\n", "line 1: BEGIN:VCALENDAR, where no such thing begins", nil},
		{"BEGIN:VCARD\nBEGIN:VCARD\n", "line 2: BEGIN:VCARD, where no such thing begins", nil},
		{"BEGIN:VCARD\nEND:VCALENDAR\n", "line 2: END:VCALENDAR, but the VCARD of line 1 is open", nil},
		{"BEGIN:VCARD\nA:1\n", "line 2: the text ends within the VCARD of line 1", nil},
		{"BEGIN:VCARD\nnonsense\n", "line 2: there is no name of a property with a colon in \"nonsense\"", nil},
		{"BEGIN:VCARD\nEND:VCARD\nBEGIN:VCARD\nEND:VCARD\n", "line 3: a second vCard begins", ErrResource},
		{"BEGIN:VCARD\nUID:1\nFN:x\nEND:VCARD\n", "line 1: the vCard has no VERSION", nil},
		{"BEGIN:VCARD\nVERSION:2.1\nUID:1\nFN:x\nEND:VCARD\n", "line 2: there is no VERSION:2.1 here, only 3.0 and 4.0", ErrVersion},
		{"BEGIN:VCARD\nVERSION:4.0\nVERSION:4.0\nEND:VCARD\n", "line 3: VERSION stands twice, first in line 2", nil},
		{"BEGIN:VCARD\nVERSION:4.0\nFN:x\nEND:VCARD\n", "line 1: the vCard has no UID", ErrResource},
		{"BEGIN:VCARD\nVERSION:4.0\nFN:x\nUID:1\nUID:2\nEND:VCARD\n", "line 5: UID stands twice, first in line 4", ErrResource},
		{"BEGIN:VCARD\nVERSION:4.0\nUID:1\nEND:VCARD\n", "line 1: the vCard has no FN", nil},
	}
	for _, tt := range tests {
		c, err := Parse(strings.NewReader(tt.text))
		if err == nil {
			err = c.Check()
		}
		var e *contentline.Error
		if !errors.As(err, &e) || e.Error() != tt.want || tt.cause != nil && !errors.Is(err, tt.cause) {
			t.Errorf("got %v, want %s", err, tt.want)
		}
	}
}

func TestMatch(t *testing.T) {
	c := card(t, "VERSION:4.0", "UID:1", "FN:Zo\u00e9 Doe", "EMAIL;TYPE=home:zoe@example.org", "EMAIL;TYPE=work:doe@example.com", `item1.TEL;TYPE="voice,work":1`)
	text := func(s string, m contentline.MatchType) []contentline.TextMatch {
		return []contentline.TextMatch{{Text: s, Match: m, Collation: contentline.UnicodeCasemap}}
	}
	typed := func(s string) []contentline.ParamFilter {
		return []contentline.ParamFilter{{Name: "TYPE", Text: &contentline.TextMatch{Text: s, Match: contentline.Equals}}}
	}
	no := PropFilter{Name: "NOTE"}
	fn := PropFilter{Name: "FN", Texts: text("ZO\u00c9", contentline.StartsWith)}
	tests := []struct {
		name string
		f    Filter
		want bool
	}{
		{"nothing asked", Filter{}, true},
		{"text", Filter{Props: []PropFilter{fn}}, true},
		{"any of", Filter{Props: []PropFilter{no, fn}}, true},
		{"all of", Filter{AllOf: true, Props: []PropFilter{no, fn}}, false},
		{"not defined", Filter{Props: []PropFilter{{Name: "NOTE", NotDefined: true}}}, true},
		{"defined", Filter{Props: []PropFilter{{Name: "FN", NotDefined: true}}}, false},
		{"there", Filter{Props: []PropFilter{{Name: "EMAIL"}}}, true},
		{"text and parameter of one property", Filter{Props: []PropFilter{{Name: "EMAIL", AllOf: true, Texts: text("example.com", contentline.EndsWith), Params: typed("work")}}}, true},
		{"text and parameter of two", Filter{Props: []PropFilter{{Name: "EMAIL", AllOf: true, Texts: text("example.com", contentline.EndsWith), Params: typed("home")}}}, false},
		{"text or parameter", Filter{Props: []PropFilter{{Name: "EMAIL", Texts: text("nowhere", contentline.EndsWith), Params: typed("home")}}}, true},
		{"type in a quoted list", Filter{Props: []PropFilter{{Name: "TEL", Params: typed("work")}}}, true},
		{"group", Filter{Props: []PropFilter{{Name: "ITEM1.TEL"}}}, true},
		{"other group", Filter{Props: []PropFilter{{Name: "ITEM2.TEL"}}}, false},
	}
	for _, tt := range tests {
		if got := c.Match(tt.f); got != tt.want {
			t.Errorf("%s: got %v", tt.name, got)
		}
	}
}

func TestSelect(t *testing.T) {
	c := card(t, "VERSION:4.0", "UID:1", "FN:x", "NOTE:long")
	if got := body(c.Select([]SelectedProp{{Name: "FN"}, {Name: "NOTE", NoValue: true}})); got != "VERSION:4.0\nFN:x\nNOTE:" {
		t.Errorf("got\n%s", got)
	}
}

// TestConvert has properties of 3.0 and 4.0; where back is empty, those of 3.0 come back
// as they were.
func TestConvert(t *testing.T) {
	tests := []struct{ three, four, back string }{
		{"N:Doe;Jane;;;", "N:Doe;Jane;;;", ""},
		{"item1.TEL;TYPE=home,pref:1", "item1.TEL;PREF=1;TYPE=home:1", ""},
		{"EMAIL;TYPE=INTERNET,work:a@b", "EMAIL;TYPE=work:a@b", "EMAIL;TYPE=work:a@b"},
		{"PHOTO;ENCODING=b;TYPE=JPEG:/9j/4AAQ", "PHOTO:data:image/jpeg;base64,/9j/4AAQ", ""},
		{"PHOTO;ENCODING=b:iVBORw0K", "PHOTO:data:image/png;base64,iVBORw0K", "PHOTO;ENCODING=b;TYPE=PNG:iVBORw0K"},
		{"PHOTO;VALUE=uri;TYPE=GIF:http://x/y.gif", "PHOTO;VALUE=uri;MEDIATYPE=image/gif:http://x/y.gif", ""},
		{"BDAY:1996-04-15", "BDAY:19960415", ""},
		{"BDAY;VALUE=date;X-APPLE-OMIT-YEAR=1604:1604-04-15", "BDAY:--0415", "BDAY;X-APPLE-OMIT-YEAR=1604:1604-04-15"},
		{"REV:1995-10-31T22:27:10Z", "REV:19951031T222710Z", ""},
		{"REV:1995-10-31T22:27:10.123Z", "REV:19951031T222710Z", "REV:1995-10-31T22:27:10Z"},
		{"GEO:37.38;-122.08", "GEO:geo:37.38,-122.08", ""},
		{"TZ:-05:00", "TZ;VALUE=utc-offset:-0500", ""},
		{"UID:abc", "UID;VALUE=text:abc", ""},
		{"UID:urn:uuid:1", "UID:urn:uuid:1", ""},
		{"X-ADDRESSBOOKSERVER-KIND:group", "KIND:group", ""},
		{"X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:1", "MEMBER:urn:uuid:1", ""},
		{"NOTE;CHARSET=UTF-8:x", "NOTE:x", "NOTE:x"},
		{"X-OWN;P=1:a\\;b", "X-OWN;P=1:a\\;b", ""},
		{"X-ABSHOWAS:COMPANY", "KIND:org", ""},
		{"X-RELATED;TYPE=friend:Carol", "RELATED;VALUE=text;TYPE=friend:Carol", ""},
		{"X-RELATED;TYPE=friend:urn:uuid:1", "RELATED;TYPE=friend:urn:uuid:1", ""},
		{"AGENT;VALUE=uri:http://x", "RELATED;VALUE=uri;TYPE=agent:http://x", "X-RELATED;VALUE=uri;TYPE=agent:http://x"},
		{"LABEL;TYPE=home:a\\nb", "ADR;LABEL=a^nb;TYPE=home:;;;;;;", ""},
		{"ADR;TYPE=home:;;a;;;;\nLABEL;TYPE=home:a", "ADR;TYPE=home;LABEL=a:;;a;;;;", ""},
		{"ADR;TYPE=work:;;a;;;;\nLABEL;TYPE=home:a", "ADR;TYPE=work:;;a;;;;\nADR;LABEL=a;TYPE=home:;;;;;;", ""},
		{"LABEL;TYPE=work,home:a\nADR;TYPE=home,work,pref:;;a;;;;\nLABEL;TYPE=home,work:b\nADR;TYPE=home,work:;;b;;;;", "ADR;PREF=1;TYPE=home,work;LABEL=a:;;a;;;;\nADR;TYPE=home,work;LABEL=b:;;b;;;;",
			"ADR;TYPE=home,work,pref:;;a;;;;\nLABEL;TYPE=home,work,pref:a\nADR;TYPE=home,work:;;b;;;;\nLABEL;TYPE=home,work:b"},
		{"PROFILE:VCARD", "", "-"},
		{"CLASS:PUBLIC", "X-CLASS:PUBLIC", "X-CLASS:PUBLIC"},
	}
	for _, tt := range tests {
		c := card(t, "VERSION:3.0", "N:x;;;;", tt.three)
		four, err := c.Convert("4.0")
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimPrefix(body(four), "VERSION:4.0\nN:x;;;;"); strings.TrimPrefix(got, "\n") != tt.four {
			t.Errorf("%s: got %s, want %s", tt.three, got, tt.four)
		}
		three, err := four.Convert("3.0")
		if err != nil {
			t.Fatal(err)
		}
		want := tt.back
		if want == "" {
			want = tt.three
		} else if want == "-" {
			want = ""
		}
		if got := strings.TrimPrefix(body(three), "VERSION:3.0\nN:x;;;;"); strings.TrimPrefix(got, "\n") != want {
			t.Errorf("%s and back: got %s", tt.three, got)
		}
	}
}

func TestConvertWhole(t *testing.T) {
	c := card(t, "VERSION:4.0", "UID:1", "FN:Jane\\, Doe", "TEL;VALUE=uri;PREF=1:tel:+1-555;ext=5", "CLIENTPIDMAP:1;urn:x", "KEY;MEDIATYPE=application/pgp-keys:http://k")
	three, err := c.Convert("3.0")
	want := "VERSION:3.0\nUID:1\nFN:Jane\\, Doe\nTEL;TYPE=pref:+1-555\\;ext=5\nKEY;VALUE=uri;TYPE=PGP:http://k\nN:Jane\\, Doe;;;;"
	if err != nil || body(three) != want {
		t.Errorf("%v, got\n%s\nwant\n%s", err, body(three), want)
	}
	sorted, err := card(t, "VERSION:3.0", "N:van Dam;Rene;;;", "SORT-STRING:Dam").Convert("4.0")
	if err != nil || body(sorted) != "VERSION:4.0\nN;SORT-AS=Dam:van Dam;Rene;;;" {
		t.Errorf("%v, got\n%s", err, body(sorted))
	}
	if back, err := sorted.Convert("3.0"); err != nil || body(back) != "VERSION:3.0\nN:van Dam;Rene;;;\nSORT-STRING:Dam" {
		t.Errorf("%v, got\n%s", err, body(back))
	}
	if c, err := card(t, "VERSION:4.0", "KIND:individual", "N:x;;;;").Convert("3.0"); err != nil || body(c) != "VERSION:3.0\nN:x;;;;" {
		t.Errorf("%v, got\n%s", err, body(c))
	}
	// RFC 6350 6.3.1 has such a label.
	if c, err := card(t, "VERSION:4.0", "N:x;;;;", `ADR;LABEL="John\n1 Main St.\NTown":;;1 Main St.;Town;;;`).Convert("3.0"); err != nil ||
		body(c) != "VERSION:3.0\nN:x;;;;\nADR:;;1 Main St.;Town;;;\nLABEL:John\\n1 Main St.\\nTown" {
		t.Errorf("%v, got\n%s", err, body(c))
	}
	if same, err := c.Convert("4.0"); err != nil || same != c {
		t.Errorf("the same version: %v", err)
	}
	if _, err := c.Convert("2.1"); !errors.Is(err, ErrVersion) {
		t.Errorf("2.1: %v", err)
	}
}

// FuzzParse wants: what is read is read again the same after it was written, and what may
// be kept is so in the other version too.
func FuzzParse(f *testing.F) {
	f.Add([]byte("BEGIN:VCARD\nVERSION:3.0\nUID:1\nFN:x\nPHOTO;ENCODING=b;TYPE=JPEG:/9j/\nBDAY:1996-04-15\nEND:VCARD\n"))
	f.Add([]byte("BEGIN:VCARD\nVERSION:4.0\nUID:urn:uuid:1\nFN:x\nADR;LABEL=a^nb;TYPE=\"home,work\":;;;;;;\nBDAY:--0415\nEND:VCARD\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := ParseBytes(text)
		if err != nil {
			return
		}
		again, err := ParseBytes(c.Append(nil))
		if err != nil || body(again) != body(c) {
			t.Fatalf("read again: %v\n%s", err, body(c))
		}
		c.Match(Filter{Props: []PropFilter{{Name: "TEL", Texts: []contentline.TextMatch{{Text: "x"}}}}})
		if c.Check() != nil {
			return
		}
		for _, version := range []string{"3.0", "4.0"} {
			other, err := c.Convert(version)
			if err == nil {
				err = other.Check()
			}
			if err == nil {
				_, err = ParseBytes(other.Append(nil))
			}
			if err != nil {
				t.Fatalf("as %s: %v\n%s", version, err, body(other))
			}
		}
	})
}
