package davd

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"facteur/server/collection"
	"facteur/server/contentline"
	"facteur/server/davxml"
	"facteur/server/homes"
	"facteur/server/ical"
	"facteur/server/vcard"
)

// element reads XML in which C: is CalDAV and CR: CardDAV.
func element(t testing.TB, text string) *davxml.Element {
	t.Helper()
	e, err := davxml.Parse(strings.NewReader(`<r xmlns:D="DAV:" xmlns:C="`+davxml.CalDAV+`" xmlns:CR="`+davxml.CardDAV+`">`+text+`</r>`), davxml.Limits{})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return e.Children[0]
}

// calendarObject is an object in all forms that the tests want.
func calendarObject(t testing.TB, text string) (*ical.Object, collection.Facts) {
	t.Helper()
	c, err := ical.ParseBytes([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	o, err := ical.NewObject(c)
	if err != nil {
		t.Fatal(err)
	}
	facts, err := homes.Index(collection.Calendar, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return o, facts
}

func rawText(octets string) *contentline.Raw {
	var raw contentline.Raw
	raw.Reset([]byte(octets))
	return &raw
}

// TestSeveralComponents: of an object of several, one has to meet all conditions.
func TestSeveralComponents(t *testing.T) {
	text := strings.Replace(vevent("UID:moved", "DTSTART:20260105T090000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=3", "SUMMARY:at home"), "END:VCALENDAR",
		"BEGIN:VEVENT\r\nUID:moved\r\nDTSTAMP:20260101T000000Z\r\nRECURRENCE-ID:20260106T090000Z\r\nDTSTART:20260106T100000Z\r\nSUMMARY:abroad\r\nLOCATION:abroad\r\nEND:VEVENT\r\nEND:VCALENDAR", 1)
	o, facts := calendarObject(t, text)
	home := `<C:prop-filter name="SUMMARY"><C:text-match>home</C:text-match></C:prop-filter>`
	for filter, want := range map[string]bool{
		home: true,
		home + `<C:prop-filter name="LOCATION"/>`:                                         false,
		`<C:prop-filter name="LOCATION"/>`:                                                true,
		`<C:prop-filter name="LOCATION"><C:is-not-defined/></C:prop-filter>`:              true,
		strings.Replace(home, "<C:text-match", `<C:text-match negate-condition="yes"`, 1): true,
	} {
		f, err := calendarFilter(element(t, `<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">`+filter+`</C:comp-filter></C:comp-filter></C:filter>`))
		if err != nil {
			t.Fatal(err)
		}
		if got := o.Match(f, time.UTC); got != want {
			t.Errorf("%s: %v, want %v", filter, got, want)
		}
		if got := newCalendarJudge(f).judge(&facts); got != unsure || want && !mayHave(f, rawText(text)) {
			t.Errorf("%s: the index says %v", filter, got)
		}
	}
}

// TestMayHave: what has not the text is not parsed.
func TestMayHave(t *testing.T) {
	text := func(name, words string) string {
		return `<C:prop-filter name="` + name + `"><C:text-match>` + words + `</C:text-match></C:prop-filter>`
	}
	for _, c := range []struct {
		filter string
		want   bool
	}{
		{``, true},
		{text("SUMMARY", "PARIS"), true},
		{text("SUMMARY", "London"), false},
		{text("LOCATION", "paris"), true}, // it is somewhere
		{text("SUMMARY", "paris") + text("SUMMARY", "london"), false},
		{`<C:prop-filter name="LOCATION"><C:is-not-defined/></C:prop-filter>`, true},
		{strings.Replace(text("SUMMARY", "London"), "<C:text-match", `<C:text-match negate-condition="yes"`, 1), true},
		{`<C:comp-filter name="VALARM">` + text("DESCRIPTION", "wake") + `</C:comp-filter>`, false},
	} {
		f, err := calendarFilter(element(t, `<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">`+c.filter+`</C:comp-filter></C:comp-filter></C:filter>`))
		if err != nil {
			t.Fatal(err)
		}
		if got := mayHave(f, rawText(objects()["event"])); got != c.want {
			t.Errorf("%s: %v, want %v", c.filter, got, c.want)
		}
	}
	org, nick := `<CR:prop-filter name="ORG"><CR:text-match>xyz</CR:text-match></CR:prop-filter>`, `<CR:prop-filter name="NICKNAME"/>`
	for filter, want := range map[string]bool{
		`<CR:filter/>`:                                                         true,
		`<CR:filter>` + org + `</CR:filter>`:                                   false,
		`<CR:filter>` + org + nick + `</CR:filter>`:                            true,
		`<CR:filter test="allof">` + org + nick + `</CR:filter>`:               false,
		`<CR:filter>` + strings.Replace(org, "xyz", "bob", 1) + `</CR:filter>`: true,
	} {
		f, err := cardFilter(element(t, filter))
		if err != nil {
			t.Fatal(err)
		}
		if got := cardMayHave(f, rawText(cards()["bob"])); got != want {
			t.Errorf("%s: %v, want %v", filter, got, want)
		}
	}
}

// vevent makes a calendar of lines of an event.
func vevent(lines ...string) string {
	return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nDTSTAMP:20260101T000000Z\r\n" +
		strings.Join(lines, "\r\n") + "\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
}

// objects are those on which filters are tried.
func objects() map[string]string {
	task := func(lines ...string) string {
		return strings.ReplaceAll(vevent(lines...), "VEVENT", "VTODO")
	}
	return map[string]string{
		"event":    vevent("UID:event", "DTSTART:20260310T100000Z", "DTEND:20260310T110000Z", "SUMMARY:Été à Paris", "ATTENDEE;PARTSTAT=NEEDS-ACTION;CN=Zoé:mailto:zoe@example.org"),
		"weekly":   vevent("UID:weekly", "DTSTART;TZID=Europe/Paris:20260105T090000", "DURATION:PT1H", "RRULE:FREQ=WEEKLY", "EXDATE;TZID=Europe/Paris:20260309T090000", "SUMMARY:Weekly"),
		"day":      vevent("UID:day", "DTSTART;VALUE=DATE:20260312", "SUMMARY:a day\\, all of it"),
		"floating": vevent("UID:floating", "DTSTART:20260311T230000", "DTEND:20260311T233000"),
		"alarm":    vevent("UID:alarm", "DTSTART:20260401T000000Z", "DTEND:20260401T010000Z", "BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-P1D", "DESCRIPTION:x", "END:VALARM"),
		"task":     task("UID:task", "DUE:20260310T100000Z", "STATUS:NEEDS-ACTION"),
		"undated":  task("UID:undated", "SUMMARY:some time"),
		"done":     task("UID:done", "SUMMARY:done", "COMPLETED:20260301T000000Z", "CREATED:20260201T000000Z"),
	}
}

func TestCalendarFilter(t *testing.T) {
	comp := func(name, inside string) string {
		return `<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="` + name + `">` + inside + `</C:comp-filter></C:comp-filter></C:filter>`
	}
	for _, c := range []struct{ name, filter, want string }{
		{"all", `<C:filter><C:comp-filter name="VCALENDAR"/></C:filter>`, "alarm day done event floating task undated weekly"},
		{"events", comp("VEVENT", ""), "alarm day event floating weekly"},
		{"names in lower case", strings.Replace(strings.Replace(comp("VEVENT", ""), "VCALENDAR", "vcalendar", 1), "VEVENT", "vevent", 1), "alarm day event floating weekly"},
		{"tasks", comp("VTODO", ""), "done task undated"},
		{"no tasks", comp("VTODO", "<C:is-not-defined/>"), "alarm day event floating weekly"},
		{"a day", comp("VEVENT", `<C:time-range start="20260310T000000Z" end="20260311T000000Z"/>`), "event"},
		{"from then on", comp("VEVENT", `<C:time-range start="20260312T000000Z"/>`), "alarm day weekly"},
		{"until then", comp("VEVENT", `<C:time-range end="20260201T000000Z"/>`), "weekly"},
		{"the week without", comp("VEVENT", `<C:time-range start="20260309T000000Z" end="20260310T000000Z"/>`), ""},
		{"the week after", comp("VEVENT", `<C:time-range start="20260316T080000Z" end="20260316T083000Z"/>`), "weekly"},
		{"the edge", comp("VEVENT", `<C:time-range start="20260310T110000Z" end="20260310T120000Z"/>`), ""},
		{"tasks of a day", comp("VTODO", `<C:time-range start="20260310T000000Z" end="20260311T000000Z"/>`), "task undated"},
		{"alarms", comp("VEVENT", `<C:comp-filter name="VALARM"><C:time-range start="20260331T000000Z" end="20260331T010000Z"/></C:comp-filter>`), "alarm"},
		{"no alarm", comp("VEVENT", `<C:comp-filter name="VALARM"><C:is-not-defined/></C:comp-filter>`), "day event floating weekly"},
		{"UID", comp("VEVENT", `<C:prop-filter name="UID"><C:text-match collation="i;octet">day</C:text-match></C:prop-filter>`), "day"},
		{"UID in part", comp("VEVENT", `<C:prop-filter name="UID"><C:text-match>A</C:text-match></C:prop-filter>`), "alarm day floating"},
		{"not that UID", comp("VEVENT", `<C:prop-filter name="UID"><C:text-match negate-condition="yes">a</C:text-match></C:prop-filter>`), "event weekly"},
		{"text in ASCII", comp("VEVENT", `<C:prop-filter name="SUMMARY"><C:text-match>PARIS</C:text-match></C:prop-filter>`), "event"},
		{"text in Unicode", comp("VEVENT", `<C:prop-filter name="SUMMARY"><C:text-match collation="i;unicode-casemap">ÉTÉ</C:text-match></C:prop-filter>`), "event"},
		{"not in ASCII", comp("VEVENT", `<C:prop-filter name="SUMMARY"><C:text-match>ÉTÉ</C:text-match></C:prop-filter>`), ""},
		{"decoded text", comp("VEVENT", `<C:prop-filter name="SUMMARY"><C:text-match>day, all</C:text-match></C:prop-filter>`), "day"},
		{"parameter", comp("VEVENT", `<C:prop-filter name="ATTENDEE"><C:text-match>mailto:zoe@example.org</C:text-match><C:param-filter name="PARTSTAT"><C:text-match>NEEDS-ACTION</C:text-match></C:param-filter></C:prop-filter>`), "event"},
		{"no parameter", comp("VEVENT", `<C:prop-filter name="ATTENDEE"><C:param-filter name="ROLE"><C:is-not-defined/></C:param-filter></C:prop-filter>`), "event"},
		{"open tasks", comp("VTODO", `<C:prop-filter name="COMPLETED"><C:is-not-defined/></C:prop-filter><C:prop-filter name="STATUS"><C:text-match negate-condition="yes">CANCELLED</C:text-match></C:prop-filter>`), "task"},
		{"time of a property", comp("VTODO", `<C:prop-filter name="COMPLETED"><C:time-range start="20260228T000000Z" end="20260302T000000Z"/></C:prop-filter>`), "done"},
		{"other namespaces", comp("VEVENT", `<x xmlns="y"/><C:prop-filter name="UID"><x xmlns="y"/></C:prop-filter>`), "alarm day event floating weekly"},
		{"two kinds", `<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"/><C:comp-filter name="VTODO"/></C:comp-filter></C:filter>`, ""},
		{"property of the calendar", `<C:filter><C:comp-filter name="VCALENDAR"><C:prop-filter name="METHOD"><C:is-not-defined/></C:prop-filter></C:comp-filter></C:filter>`, "alarm day done event floating task undated weekly"},
	} {
		f, err := calendarFilter(element(t, c.filter))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var found []string
		for _, name := range sortedKeys(objects()) {
			o, facts := calendarObject(t, objects()[name])
			match := o.Match(f, time.UTC)
			if match {
				found = append(found, name)
			}
			if v := newCalendarJudge(f).judge(&facts); v == yes && !match || v == no && match {
				t.Errorf("%s: the index is wrong about %s: %v", c.name, name, v)
			}
			if match && !mayHave(f, rawText(objects()[name])) {
				t.Errorf("%s: the octets of %s are not parsed", c.name, name)
			}
		}
		if got := strings.Join(found, " "); got != c.want {
			t.Errorf("%s: found %s, want %s", c.name, got, c.want)
		}
	}
}

// TestJudgedByIndex: the queries of which clients make most need no file.
func TestJudgedByIndex(t *testing.T) {
	_, facts := calendarObject(t, objects()["event"])
	for _, c := range []struct {
		filter string
		want   verdict
	}{
		{`<C:comp-filter name="VEVENT"/>`, yes},
		{`<C:comp-filter name="VTODO"/>`, no},
		{`<C:comp-filter name="VEVENT"><C:time-range start="20260301T000000Z" end="20260401T000000Z"/></C:comp-filter>`, yes},
		{`<C:comp-filter name="VEVENT"><C:time-range start="20260401T000000Z"/></C:comp-filter>`, no},
		{`<C:comp-filter name="VEVENT"><C:time-range start="20260310T103000Z"/></C:comp-filter>`, unsure},
		{`<C:comp-filter name="VEVENT"><C:prop-filter name="UID"><C:text-match>other</C:text-match></C:prop-filter></C:comp-filter>`, no},
		{`<C:comp-filter name="VEVENT"><C:prop-filter name="UID"><C:text-match>event</C:text-match></C:prop-filter></C:comp-filter>`, yes},
		{`<C:comp-filter name="VEVENT"><C:prop-filter name="SUMMARY"/></C:comp-filter>`, yes},
		{`<C:comp-filter name="VEVENT"><C:prop-filter name="SUMMARY"><C:text-match>london</C:text-match></C:prop-filter></C:comp-filter>`, no},
		{`<C:comp-filter name="VEVENT"><C:prop-filter name="SUMMARY"><C:text-match collation="i;unicode-casemap">PARIS</C:text-match></C:prop-filter></C:comp-filter>`, yes},
		{`<C:comp-filter name="VEVENT"><C:prop-filter name="SUMMARY"><C:text-match>PARIS</C:text-match></C:prop-filter></C:comp-filter>`, unsure}, // by another collation
		{`<C:comp-filter name="VEVENT"><C:prop-filter name="LOCATION"><C:is-not-defined/></C:prop-filter></C:comp-filter>`, yes},
		{`<C:comp-filter name="VEVENT"><C:prop-filter name="LOCATION"/></C:comp-filter>`, no},
		{`<C:comp-filter name="VEVENT"><C:prop-filter name="DESCRIPTION"/></C:comp-filter>`, unsure},
		{`<C:comp-filter name="VEVENT"><C:prop-filter name="COMPLETED"><C:time-range start="20260401T000000Z"/></C:prop-filter></C:comp-filter>`, unsure},
	} {
		f, err := calendarFilter(element(t, `<C:filter><C:comp-filter name="VCALENDAR">`+c.filter+`</C:comp-filter></C:filter>`))
		if err != nil {
			t.Fatal(err)
		}
		if got := newCalendarJudge(f).judge(&facts); got != c.want {
			t.Errorf("%s: %v, want %v", c.filter, got, c.want)
		}
	}
}

// precondition returns the name of the precondition in an error.
func precondition(err error) string {
	var f *failure
	if !errors.As(err, &f) {
		return fmt.Sprint(err)
	}
	return f.condition.Local
}

func TestCalendarFilterErrors(t *testing.T) {
	top := func(s string) string {
		return `<C:filter><C:comp-filter name="VCALENDAR">` + s + `</C:comp-filter></C:filter>`
	}
	event := func(s string) string { return top(`<C:comp-filter name="VEVENT">` + s + `</C:comp-filter>`) }
	many := strings.Repeat(`<C:prop-filter name="SUMMARY"/>`, 101)
	for _, c := range []struct{ filter, want string }{
		{`<C:filter/>`, "valid-filter"},
		{`<C:filter><C:comp-filter name="VEVENT"/></C:filter>`, "valid-filter"},
		{`<C:filter><C:comp-filter name="VCALENDAR"/><C:comp-filter name="VCALENDAR"/></C:filter>`, "valid-filter"},
		{`<C:filter><C:comp-filter name="VCALENDAR"><C:is-not-defined/></C:comp-filter></C:filter>`, "valid-filter"},
		{`<C:filter><C:comp-filter name="VCALENDAR"><C:time-range start="20260101T000000Z"/></C:comp-filter></C:filter>`, "valid-filter"},
		{top(`<C:comp-filter/>`), "valid-filter"},
		{top(`<C:comp-filter name="VTIMEZONE"><C:time-range start="20260101T000000Z"/></C:comp-filter>`), "supported-filter"},
		{event(`<C:is-not-defined/><C:prop-filter name="UID"/>`), "valid-filter"},
		{event(`<C:time-range/>`), "valid-filter"},
		{event(`<C:time-range start="2026-01-01"/>`), "valid-filter"},
		{event(`<C:time-range start="20260101T000000"/>`), "valid-filter"},
		{event(`<C:time-range start="20260101"/>`), "valid-filter"},
		{event(`<C:time-range start="20261301T000000Z"/>`), "valid-filter"},
		{event(`<C:time-range start="00000101T000000Z"/>`), "valid-filter"},
		{event(`<C:time-range start="20260102T000000Z" end="20260101T000000Z"/>`), "valid-filter"},
		{event(`<C:time-range start="20260101T000000Z" end="20260101T000000Z"/>`), "valid-filter"},
		{event(`<C:time-range start="20260101T000000Z"/><C:time-range start="20260101T000000Z"/>`), "valid-filter"},
		{event(`<C:prop-filter name="SUMMARY"><C:time-range start="20260101T000000Z"/></C:prop-filter>`), "supported-filter"},
		{event(`<C:prop-filter name="SUMMARY"><C:text-match collation="i;nonsense">x</C:text-match></C:prop-filter>`), "supported-collation"},
		{event(`<C:prop-filter name="SUMMARY"><C:text-match negate-condition="maybe">x</C:text-match></C:prop-filter>`), "valid-filter"},
		{event(`<C:prop-filter name="DTSTART"><C:time-range start="20260101T000000Z"/><C:text-match>x</C:text-match></C:prop-filter>`), "valid-filter"},
		{event(`<C:prop-filter name="ATTENDEE"><C:param-filter/></C:prop-filter>`), "valid-filter"},
		{event(`<C:prop-filter name="ATTENDEE"><C:param-filter name="CN"><C:text-match>x</C:text-match><C:text-match>y</C:text-match></C:param-filter></C:prop-filter>`), "valid-filter"},
		{event(`<C:nonsense/>`), "valid-filter"},
		{event(many), "supported-filter"},
		{event(strings.Repeat(`<C:prop-filter name="DTSTART"><C:time-range start="20260101T000000Z"/></C:prop-filter>`, 9)), "supported-filter"},
	} {
		_, err := calendarFilter(element(t, c.filter))
		if got := precondition(err); got != c.want {
			t.Errorf("%s: %s, want %s", c.filter, got, c.want)
		}
	}
	if _, err := calendarFilter(nil); precondition(err) != "valid-filter" {
		t.Errorf("no filter: %v", err)
	}
}

func cards() map[string]string {
	card := func(lines ...string) string {
		return "BEGIN:VCARD\r\nVERSION:3.0\r\n" + strings.Join(lines, "\r\n") + "\r\nEND:VCARD\r\n"
	}
	return map[string]string{
		"zoe":   card("UID:zoe", "FN:Zoé Martin", "N:Martin;Zoé;;;", "EMAIL;TYPE=HOME,PREF:zoe@example.org", "item1.TEL;TYPE=CELL:+33 1"),
		"bob":   card("UID:bob", "FN:Bob", "N:;Bob;;;", "EMAIL;TYPE=WORK:bob@example.com", "NOTE:likes tea"),
		"group": card("UID:group", "FN:choir", "X-ADDRESSBOOKSERVER-KIND:group"),
		"long":  card("UID:long", "FN:Long", "ORG:"+strings.Repeat("x", 500)),
	}
}

func TestCardFilter(t *testing.T) {
	for _, c := range []struct{ name, filter, want string }{
		{"none", `<CR:filter/>`, "bob group long zoe"},
		{"name", `<CR:filter><CR:prop-filter name="FN"><CR:text-match>zoÉ</CR:text-match></CR:prop-filter></CR:filter>`, "zoe"},
		{"octets", `<CR:filter><CR:prop-filter name="FN"><CR:text-match collation="i;octet">bob</CR:text-match></CR:prop-filter></CR:filter>`, ""},
		{"starts", `<CR:filter><CR:prop-filter name="EMAIL"><CR:text-match match-type="starts-with">BOB</CR:text-match></CR:prop-filter></CR:filter>`, "bob"},
		{"ends", `<CR:filter><CR:prop-filter name="EMAIL"><CR:text-match match-type="ends-with">.org</CR:text-match></CR:prop-filter></CR:filter>`, "zoe"},
		{"equals", `<CR:filter><CR:prop-filter name="fn"><CR:text-match match-type="equals">BOB</CR:text-match></CR:prop-filter></CR:filter>`, "bob"},
		{"any", `<CR:filter><CR:prop-filter name="FN"><CR:text-match>bob</CR:text-match></CR:prop-filter><CR:prop-filter name="EMAIL"><CR:text-match>zoe</CR:text-match></CR:prop-filter></CR:filter>`, "bob zoe"},
		{"all", `<CR:filter test="allof"><CR:prop-filter name="FN"><CR:text-match>bob</CR:text-match></CR:prop-filter><CR:prop-filter name="EMAIL"><CR:text-match>zoe</CR:text-match></CR:prop-filter></CR:filter>`, ""},
		{"not defined", `<CR:filter><CR:prop-filter name="EMAIL"><CR:is-not-defined/></CR:prop-filter></CR:filter>`, "group long"},
		{"defined", `<CR:filter><CR:prop-filter name="NOTE"/></CR:filter>`, "bob"},
		{"kind", `<CR:filter><CR:prop-filter name="X-ADDRESSBOOKSERVER-KIND"><CR:text-match>group</CR:text-match></CR:prop-filter></CR:filter>`, "group"},
		{"parameter", `<CR:filter><CR:prop-filter name="EMAIL" test="allof"><CR:text-match>e</CR:text-match><CR:param-filter name="TYPE"><CR:text-match match-type="equals">work</CR:text-match></CR:param-filter></CR:prop-filter></CR:filter>`, "bob"},
		{"any of both", `<CR:filter><CR:prop-filter name="EMAIL"><CR:text-match>zoe</CR:text-match><CR:param-filter name="TYPE"><CR:text-match match-type="equals">work</CR:text-match></CR:param-filter></CR:prop-filter></CR:filter>`, "bob zoe"},
		{"group of a property", `<CR:filter><CR:prop-filter name="item1.TEL"/></CR:filter>`, "zoe"},
		{"not the text", `<CR:filter><CR:prop-filter name="FN"><CR:text-match negate-condition="yes">o</CR:text-match></CR:prop-filter></CR:filter>`, ""},
		{"what the index lacks", `<CR:filter><CR:prop-filter name="ORG"><CR:text-match>xxx</CR:text-match></CR:prop-filter></CR:filter>`, "long"},
	} {
		f, err := cardFilter(element(t, c.filter))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var found []string
		j := newCardJudge(f)
		for _, name := range sortedKeys(cards()) {
			card, facts := cardObject(t, cards()[name])
			match := card.Match(f)
			if match {
				found = append(found, name)
			}
			if v := j.judge(&facts); v == yes && !match || v == no && match {
				t.Errorf("%s: the index is wrong about %s: %v", c.name, name, v)
			}
			if match && !cardMayHave(f, rawText(cards()[name])) {
				t.Errorf("%s: the octets of %s are not parsed", c.name, name)
			}
		}
		if got := strings.Join(found, " "); got != c.want {
			t.Errorf("%s: found %s, want %s", c.name, got, c.want)
		}
	}
}

func cardObject(t testing.TB, text string) (*vcard.Card, collection.Facts) {
	t.Helper()
	card, err := vcard.ParseBytes([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	facts, err := homes.Index(collection.AddressBook, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return card, facts
}

func TestCardFilterErrors(t *testing.T) {
	fn := func(s string) string {
		return `<CR:filter><CR:prop-filter name="FN">` + s + `</CR:prop-filter></CR:filter>`
	}
	for _, c := range []struct{ filter, want string }{
		{`<CR:filter test="some"/>`, "valid-filter"},
		{`<CR:filter><CR:prop-filter/></CR:filter>`, "valid-filter"},
		{`<CR:filter><CR:nonsense/></CR:filter>`, "valid-filter"},
		{fn(`<CR:text-match match-type="like">x</CR:text-match>`), "valid-filter"},
		{fn(`<CR:text-match collation="i;nonsense">x</CR:text-match>`), "supported-collation"},
		{fn(`<CR:is-not-defined/><CR:text-match>x</CR:text-match>`), "valid-filter"},
		{fn(strings.Repeat(`<CR:text-match>x</CR:text-match>`, 100)), "supported-filter"},
	} {
		_, err := cardFilter(element(t, c.filter))
		if got := precondition(err); got != c.want {
			t.Errorf("%s: %s, want %s", c.filter, got, c.want)
		}
	}
	if _, err := cardFilter(nil); precondition(err) != "valid-filter" {
		t.Errorf("no filter: %v", err)
	}
}

func TestCalendarData(t *testing.T) {
	o, _ := calendarObject(t, objects()["weekly"])
	full := string(o.Calendar().Append(nil))
	for _, c := range []struct{ name, data, want string }{
		{"kept", `<C:calendar-data/>`, full},
		{"kept, said so", `<C:calendar-data content-type="text/calendar; charset=utf-8" version="2.0"/>`, full},
		{"expanded", `<C:calendar-data><C:expand start="20260302T000000Z" end="20260317T000000Z"/></C:calendar-data>`,
			"BEGIN:VCALENDAR VERSION:2.0 PRODID:x" +
				" BEGIN:VEVENT DTSTAMP:20260101T000000Z UID:weekly DTSTART:20260302T080000Z DURATION:PT1H SUMMARY:Weekly RECURRENCE-ID:20260302T080000Z END:VEVENT" +
				" BEGIN:VEVENT DTSTAMP:20260101T000000Z UID:weekly DTSTART:20260316T080000Z DURATION:PT1H SUMMARY:Weekly RECURRENCE-ID:20260316T080000Z END:VEVENT END:VCALENDAR"},
		{"in part", `<C:calendar-data><C:comp name="VCALENDAR"><C:prop name="version"/><C:comp name="VEVENT"><C:prop name="UID"/><C:prop name="SUMMARY" novalue="yes"/></C:comp></C:comp></C:calendar-data>`,
			"BEGIN:VCALENDAR VERSION:2.0 BEGIN:VEVENT UID:weekly SUMMARY: END:VEVENT END:VCALENDAR"},
		{"a component without more", `<C:calendar-data><C:comp name="VCALENDAR"><C:comp name="VEVENT"/></C:comp></C:calendar-data>`,
			strings.Replace(full, "VERSION:2.0\r\nPRODID:x\r\n", "", 1)},
		{"all", `<C:calendar-data><C:comp name="VCALENDAR"><C:allprop/><C:allcomp/></C:comp></C:calendar-data>`, full},
		{"expanded, in part", `<C:calendar-data><C:comp name="VCALENDAR"><C:comp name="VEVENT"><C:prop name="DTSTART"/></C:comp></C:comp><C:expand start="20260302T000000Z" end="20260303T000000Z"/></C:calendar-data>`,
			"BEGIN:VCALENDAR BEGIN:VEVENT DTSTART:20260302T080000Z END:VEVENT END:VCALENDAR"},
	} {
		d, err := parseCalendarData(element(t, c.data))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		left := 100
		got, truncated, err := d.apply(nil, o, time.UTC, &left)
		if err != nil || truncated {
			t.Errorf("%s: %v, truncated: %v", c.name, err, truncated)
		}
		flat := func(s string) string { return strings.TrimSpace(strings.ReplaceAll(s, "\r\n", " ")) }
		if flat(string(got)) != flat(c.want) {
			t.Errorf("%s: got %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestCalendarDataTruncated(t *testing.T) {
	o, _ := calendarObject(t, objects()["weekly"])
	d, err := parseCalendarData(element(t, `<C:calendar-data><C:expand start="20260101T000000Z" end="20270101T000000Z"/></C:calendar-data>`))
	if err != nil {
		t.Fatal(err)
	}
	left := 60
	if _, truncated, err := d.apply(nil, o, time.UTC, &left); truncated || err != nil || left != 60-51 {
		t.Errorf("of 60 instances %d are left, truncated: %v, %v", left, truncated, err)
	}
	if _, truncated, _ := d.apply(nil, o, time.UTC, &left); !truncated {
		t.Error("the bound does not hold")
	}
}

func TestDataErrors(t *testing.T) {
	for _, c := range []struct{ data, want string }{
		{`<C:calendar-data content-type="application/calendar+json"/>`, "supported-calendar-data"},
		{`<C:calendar-data version="1.0"/>`, "supported-calendar-data"},
		{`<C:calendar-data><C:expand start="20260101T000000Z"/></C:calendar-data>`, "valid-filter"},
		{`<C:calendar-data><C:expand start="20260101T000000Z" end="20270101T000000Z"/><C:limit-recurrence-set start="20260101T000000Z" end="20270101T000000Z"/></C:calendar-data>`, ""},
		{`<C:calendar-data><C:comp name="VEVENT"/></C:calendar-data>`, ""},
		{`<C:calendar-data><C:comp name="VCALENDAR"><C:prop/></C:comp></C:calendar-data>`, ""},
		{`<CR:address-data version="2.1"/>`, "supported-address-data"},
		{`<CR:address-data content-type="application/vcard+json"/>`, "supported-address-data"},
		{`<CR:address-data><CR:prop/></CR:address-data>`, ""},
	} {
		e := element(t, c.data)
		var err error
		if e.Name == davxml.C("calendar-data") {
			_, err = parseCalendarData(e)
		} else {
			_, err = parseAddressData(e)
		}
		if got := precondition(err); got != c.want || err == nil {
			t.Errorf("%s: %v, want %s", c.data, err, c.want)
		}
	}
}

func TestAddressData(t *testing.T) {
	old := cards()["zoe"]
	fresh := strings.Replace(strings.Replace(old, "VERSION:3.0", "VERSION:4.0", 1), "EMAIL;TYPE=HOME,PREF", "EMAIL;PREF=1", 1)
	for _, c := range []struct {
		name, data, card string
		kept             bool
		has              []string
	}{
		{"as kept", `<CR:address-data/>`, old, true, nil},
		{"3.0 is meant", `<CR:address-data/>`, fresh, false, []string{"VERSION:3.0\r\n", "TYPE=pref"}},
		{"4.0 of 3.0", `<CR:address-data content-type="text/vcard" version="4.0"/>`, old, false, []string{"VERSION:4.0\r\n", "PREF=1"}},
		{"4.0 of 4.0", `<CR:address-data version="4.0"/>`, fresh, true, nil},
		{"in part", `<CR:address-data><CR:prop name="fn"/><CR:prop name="EMAIL" novalue="yes"/></CR:address-data>`, old, false, []string{"FN:Zoé Martin\r\nEMAIL;TYPE=HOME,PREF:\r\nEND"}},
		{"all", `<CR:address-data><CR:allprop/><CR:prop name="FN"/></CR:address-data>`, old, true, nil},
		{"a note that looks like one", `<CR:address-data version="4.0"/>`, strings.Replace(old, "UID:zoe", "NOTE:x\\nVERSION:4.0", 1), false, []string{"VERSION:4.0\r\n"}},
	} {
		d, err := parseAddressData(element(t, c.data))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := d.asKept([]byte(c.card)); got != c.kept {
			t.Errorf("%s: kept: %v", c.name, got)
		}
		card, err := vcard.ParseBytes([]byte(c.card))
		if err != nil {
			t.Fatal(err)
		}
		got, err := d.apply(nil, card)
		for _, want := range c.has {
			if !strings.Contains(string(got), want) || err != nil {
				t.Errorf("%s: got %s, want %q in it (%v)", c.name, got, want, err)
			}
		}
	}
}

// odd are objects of which the index might be wrong.
func odd() map[string]string {
	of := func(kind string, lines ...string) string { return strings.ReplaceAll(vevent(lines...), "VEVENT", kind) }
	override := func(lines ...string) string {
		return "END:VEVENT\r\nBEGIN:VEVENT\r\nUID:o\r\nDTSTAMP:20260101T000000Z\r\n" + strings.Join(lines, "\r\n")
	}
	return map[string]string{
		"excluded":   vevent("UID:o", "DTSTART:20260310T100000Z", "DURATION:PT1H", "EXDATE:20260310T100000Z"),
		"all out":    vevent("UID:o", "DTSTART:20260310T100000Z", "RRULE:FREQ=DAILY;COUNT=2", "EXDATE:20260310T100000Z,20260311T100000Z"),
		"some out":   vevent("UID:o", "DTSTART:20260310T100000Z", "RRULE:FREQ=DAILY;COUNT=3", "EXDATE:20260310T100000Z,20260311T100000Z"),
		"point":      vevent("UID:o", "DTSTART:20260310T100000Z"),
		"moved":      vevent("UID:o", "DTSTART:20260310T100000Z", "RRULE:FREQ=DAILY;COUNT=2", override("RECURRENCE-ID:20260311T100000Z", "DTSTART:20260320T100000Z")),
		"future":     vevent("UID:o", "DTSTART:20260310T100000Z", "RRULE:FREQ=DAILY;COUNT=9", override("RECURRENCE-ID;RANGE=THISANDFUTURE:20260312T100000Z", "DTSTART:20260312T150000Z", "DURATION:PT3H")),
		"override":   vevent("UID:o", "RECURRENCE-ID:20260311T100000Z", "DTSTART:20260312T100000Z"),
		"dates":      vevent("UID:o", "DTSTART:20260310T100000Z", "RDATE;VALUE=PERIOD:20260314T100000Z/PT2H"),
		"weekly":     vevent("UID:o", "DTSTART;TZID=America/New_York:20260301T233000", "DURATION:P1D", "RRULE:FREQ=WEEKLY;UNTIL=20260401T000000Z"),
		"absolute":   vevent("UID:o", "DTSTART:20260310T100000Z", "BEGIN:VALARM", "ACTION:AUDIO", "TRIGGER;VALUE=DATE-TIME:20260301T000000Z", "END:VALARM"),
		"day":        vevent("UID:o", "DTSTART;VALUE=DATE:20260310"),
		"due":        of("VTODO", "UID:o", "DUE;VALUE=DATE:20260310"),
		"task":       of("VTODO", "UID:o", "DTSTART:20260310T100000", "DURATION:PT2H"),
		"completed":  of("VTODO", "UID:o", "COMPLETED:20260310T100000Z"),
		"journal":    of("VJOURNAL", "UID:o", "DTSTART;VALUE=DATE:20260310"),
		"no date":    of("VJOURNAL", "UID:o"),
		"busy":       of("VFREEBUSY", "UID:o", "FREEBUSY:20260310T100000Z/PT1H,20260312T100000Z/PT1H"),
		"busy range": of("VFREEBUSY", "UID:o", "DTSTART:20260310T100000Z", "DTEND:20260311T100000Z"),
		"available":  of("VAVAILABILITY", "UID:o", "DTSTART:20260310T100000Z", "DTEND:20260320T100000Z"),
		"always":     of("VAVAILABILITY", "UID:o"),
	}
}

// TestIndexAgrees: for each range of whole hours around what happens, in any zone, the index is
// right about each object.
func TestIndexAgrees(t *testing.T) {
	zones := []*time.Location{time.UTC, time.FixedZone("", 13*3600), time.FixedZone("", -11*3600)}
	begin := time.Date(2026, 2, 27, 0, 0, 0, 0, time.UTC)
	for name, text := range odd() {
		o, facts := calendarObject(t, text)
		for from := 0; from < 26*24; from += 5 {
			for _, length := range []int{1, 13, 49, 400} {
				r := ical.TimeRange{From: begin.Add(time.Duration(from) * time.Hour)}
				r.To = r.From.Add(time.Duration(length) * time.Hour)
				f := ical.CompFilter{Name: "VCALENDAR", Comps: []ical.CompFilter{{Name: o.Kind, Range: &r}}}
				for _, zone := range zones {
					match := o.Match(f, zone)
					if v := newCalendarJudge(f).judge(&facts); v == yes && !match || v == no && match {
						t.Fatalf("%s from %v to %v in %v: the index says %v", name, r.From, r.To, zone, v)
					}
				}
			}
		}
	}
}

// FuzzFilter: what the index says of an object is what reading it says.
func FuzzFilter(f *testing.F) {
	f.Add(`<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:time-range start="20260310T000000Z" end="20260311T000000Z"/><C:prop-filter name="UID"><C:text-match>e</C:text-match></C:prop-filter></C:comp-filter></C:comp-filter></C:filter>`)
	f.Add(`<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VTODO"><C:is-not-defined/></C:comp-filter></C:comp-filter></C:filter>`)
	f.Add(`<CR:filter test="allof"><CR:prop-filter name="EMAIL" test="anyof"><CR:text-match match-type="ends-with" negate-condition="yes">é</CR:text-match><CR:param-filter name="TYPE"/></CR:prop-filter></CR:filter>`)
	f.Add(`<CR:filter><CR:prop-filter name="ORG"><CR:text-match collation="i;octet">x</CR:text-match></CR:prop-filter></CR:filter>`)
	f.Add(`<C:calendar-data><C:comp name="VCALENDAR"><C:comp name="VEVENT"><C:prop name="UID" novalue="yes"/></C:comp></C:comp><C:expand start="20260101T000000Z" end="20270101T000000Z"/></C:calendar-data>`)
	f.Add(`<CR:address-data version="4.0"><CR:prop name="FN"/></CR:address-data>`)
	var calendars []*ical.Object
	var calendarFacts, cardFacts []collection.Facts
	var addresses []*vcard.Card
	for _, name := range sortedKeys(objects()) {
		o, facts := calendarObject(f, objects()[name])
		calendars, calendarFacts = append(calendars, o), append(calendarFacts, facts)
	}
	for _, name := range sortedKeys(cards()) {
		c, facts := cardObject(f, cards()[name])
		addresses, cardFacts = append(addresses, c), append(cardFacts, facts)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := davxml.Parse(strings.NewReader(`<r xmlns:C="`+davxml.CalDAV+`" xmlns:CR="`+davxml.CardDAV+`">`+text+`</r>`), davxml.Limits{Octets: 1 << 14})
		if err != nil || len(e.Children) == 0 {
			return
		}
		e = e.Children[0]
		if filter, err := calendarFilter(e); err == nil {
			r, kind := prefilter(filter)
			for i, o := range calendars {
				match := o.Match(filter, time.UTC)
				if v := newCalendarJudge(filter).judge(&calendarFacts[i]); v == yes && !match || v == no && match {
					t.Fatalf("the index says %v of %s", v, o.UID)
				}
				if match && !mayHave(filter, rawText(objects()[o.UID])) {
					t.Fatalf("%s is not parsed", o.UID)
				}
				facts := &calendarFacts[i]
				if match && (kind != "" && facts.Kind != kind || judgeRange(r, facts) == no) {
					t.Fatalf("%s is not asked for", o.UID)
				}
			}
		}
		if filter, err := cardFilter(e); err == nil {
			j := newCardJudge(filter)
			for i, c := range addresses {
				match := c.Match(filter)
				if v := j.judge(&cardFacts[i]); v == yes && !match || v == no && match {
					t.Fatalf("the index says %v of %s", v, c.UID())
				}
			}
		}
		fuzzData(t, e, calendars, addresses)
	})
}

func fuzzData(t *testing.T, e *davxml.Element, calendars []*ical.Object, addresses []*vcard.Card) {
	if d, err := parseCalendarData(e); err == nil {
		for _, o := range calendars {
			left := 100
			if _, _, err := d.apply(nil, o, time.UTC, &left); err != nil {
				t.Fatal(err)
			}
		}
	}
	if d, err := parseAddressData(e); err == nil {
		for _, c := range addresses {
			out, err := d.apply(nil, c)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := vcard.ParseBytes(out); err != nil {
				t.Fatalf("%s: %v", out, err)
			}
		}
	}
}
