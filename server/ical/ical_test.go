package ical

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"facteur/server/contentline"
)

func TestParse(t *testing.T) {
	text := "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1\r\nX-OWN;P=a:1\\,2\r\nBEGIN:X-PART\r\nA:b\r\nEND:X-PART\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
	c, err := Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	event := c.Children[0]
	if event.Name != "VEVENT" || event.Line != 3 || event.Value("UID") != "1" || event.Text("X-OWN") != "1,2" || event.Children[0].Name != "X-PART" {
		t.Errorf("got %+v", event)
	}
	if got := string(c.Append(nil)); got != text {
		t.Errorf("got\n%s", got)
	}
}

func TestParseErrors(t *testing.T) {
	tests := []struct{ text, want string }{
		{"", "there is no VCALENDAR"},
		{"A:1\n", "line 1: A stands outside of VCALENDAR"},
		{"BEGIN:VEVENT\n", "line 1: VEVENT stands outside of VCALENDAR"},
		{"BEGIN:\n", "line 1: BEGIN names no component"},
		{"BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VCALENDAR\n", "line 3: END:VCALENDAR, but the VEVENT of line 2 is open"},
		{"BEGIN:VCALENDAR\nBEGIN:VEVENT\nA:1\n", "line 3: the text ends within the VEVENT of line 2"},
		{"BEGIN:VCALENDAR\nEND:VCALENDAR\nBEGIN:VCALENDAR\n", "line 3: VCALENDAR begins after the end of the calendar"},
		{"BEGIN:VCALENDAR\nEND:VCALENDAR\nA:1\n", "line 3: A stands outside of VCALENDAR"},
		{"BEGIN:VCALENDAR\nnonsense\n", "line 2: there is no name of a property with a colon in \"nonsense\""},
		{"BEGIN:VCALENDAR\n" + strings.Repeat("BEGIN:A\n", 20), "line 9: components are nested more than 8 deep"},
	}
	for _, tt := range tests {
		_, err := Parse(strings.NewReader(tt.text))
		var e *contentline.Error
		if !errors.As(err, &e) || e.Error() != tt.want {
			t.Errorf("%q: got %v, want %s", tt.text, err, tt.want)
		}
	}
}

// FuzzParse wants: what is read is read again the same after it was written, and nothing
// panics on it or takes long.
func FuzzParse(f *testing.F) {
	f.Add([]byte("BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART;VALUE=DATE:20260101\nRRULE:FREQ=DAILY\nEND:VEVENT\nEND:VCALENDAR\n"))
	f.Add([]byte("BEGIN:VCALENDAR\n" + berlinZone + "BEGIN:VTODO\nUID:1\nDUE;TZID=Custom:20260101T000000\nEND:VTODO\nEND:VCALENDAR\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := ParseLimited(bytes.NewReader(text), contentline.Limits{Octets: 64 << 10, Lines: 500})
		if err != nil {
			return
		}
		written := c.Append(nil)
		again, err := Parse(bytes.NewReader(written))
		if err != nil || !bytes.Equal(again.Append(nil), written) {
			t.Fatalf("read again: %v\n%s", err, written)
		}
		fuzzObject(t, c)
	})
}

// fuzzObject asks an object for all that there is to ask.
func fuzzObject(t *testing.T, c *Calendar) {
	checked := c.Check()
	o, err := NewObject(c)
	if err != nil {
		if checked == nil {
			t.Fatalf("it may be kept, but not be read: %v", err)
		}
		return
	}
	first, last, infinite := o.Span(time.UTC)
	list, _, err := o.Instances(time.Time{}, time.Time{}, time.UTC, 20)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range list {
		if i.Start.Before(first) || !infinite && i.End.After(last) {
			t.Fatalf("%v to %v is not within %v to %v", i.Start, i.End, first, last)
		}
	}
	r := TimeRange{From: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)}
	o.Match(in(o.Kind, func(f *CompFilter) { f.Range, f.Comps = &r, []CompFilter{{Name: "VALARM", Range: &r}} }), nil)
	expanded, _, err := o.Expand(r, nil, 20)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseBytes(expanded.Append(nil)); err != nil {
		t.Fatal(err)
	}
	o.LimitRecurrences(r, nil)
	o.LimitFreeBusy(r, nil)
	if o.Kind == "VEVENT" {
		checkBusy(t, o, r, 3)
	}
}
