package homes

import (
	"slices"
	"strings"
	"testing"

	"facteur/server/collection"
	"facteur/server/contentline"
)

const anID = "abcdefghijklmnopqrstuvwxyz"

// TestParseAttached: only what has the form of this server's attachments is one.
func TestParseAttached(t *testing.T) {
	const uri = "https://mail.example.org/dav/alice@example.org/.attachments/" + anID + "/a%20b.pdf"
	for _, c := range []struct {
		name, id, value string
		ok              bool
	}{
		{"ATTACH", anID, uri, true},
		{"ATTACH", anID, " http://other.example:81/dav/alice@example.org/.attachments/" + anID, true},
		{"ATTACH", "", uri, false},
		{"URL", anID, uri, false},
		{"ATTACH", strings.ToUpper(anID), uri, false},
		{"ATTACH", "abcdefghijklmnopqrstuvwxy2", uri, false},
		{"ATTACH", anID, strings.Replace(uri, "/dav/", "/x/dav/", 1), false},
		{"ATTACH", anID, strings.Replace(uri, "/.attachments/", "/files/", 1), false},
		{"ATTACH", anID, strings.Replace(uri, "alice@example.org", "alice", 1), false},
		{"ATTACH", anID, strings.Replace(uri, "alice@example.org", "..%2f..", 1), false},
		{"ATTACH", anID, "https://x/dav/", false},
		{"ATTACH", anID, "%zz", false},
	} {
		p := contentline.Line{Name: c.name, Value: c.value}
		if c.id != "" {
			p.Params = []contentline.Param{{Name: "MANAGED-ID", Values: []string{c.id}}}
		}
		a, ok := ParseAttached(p)
		if ok != c.ok || ok && (a.ID != anID || a.Owner.String() != "alice@example.org") {
			t.Errorf("%+v: %+v, %v", c, a, ok)
		}
	}
}

// TestIndexAttached: the index has each attachment once, of all components but not of alarms.
func TestIndexAttached(t *testing.T) {
	line := func(id string) string {
		return "ATTACH;MANAGED-ID=" + id + ";SIZE=1:https://x/dav/alice@example.org/.attachments/" + id + "/a\r\n"
	}
	const other = "zbcdefghijklmnopqrstuvwxyz"
	f, err := Index(collection.Calendar, []byte("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n"+
		"BEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260101T000000Z\r\nRRULE:FREQ=DAILY\r\n"+line(anID)+line(anID)+
		"BEGIN:VALARM\r\nACTION:AUDIO\r\nTRIGGER:-PT5M\r\n"+line("a"+anID[1:25]+"2")+"END:VALARM\r\nEND:VEVENT\r\n"+
		"BEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260102T000000Z\r\nRECURRENCE-ID:20260102T000000Z\r\n"+line(other)+"END:VEVENT\r\nEND:VCALENDAR\r\n"))
	if err != nil || !slices.Equal(AttachedIn(f), []string{anID, other}) {
		t.Errorf("%v %v", f, err)
	}
}

// TestIndexHalfAttached: of an object that another program has left half done the index has what
// may be an id, folded or not.
func TestIndexHalfAttached(t *testing.T) {
	const other = "zbcdefghijklmnopqrstuvwxyz"
	for data, want := range map[string][]string{
		"": nil,
		"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nATTACH;MANAGED-ID=" + anID[:9] + "\r\n " + anID[9:] + ":https://x/" + other[:3] + "\n\t" + other[3:]: {perhapsPrefix + anID, perhapsPrefix + other},
		anID + ";" + anID + "=":                        {perhapsPrefix + anID},
		anID + "a;é" + anID[1:] + "A" + anID[2:] + "8": nil,
		// What can be read and is no object of a calendar.
		"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nX-ID:" + anID + "\r\nEND:VCALENDAR\r\n": {perhapsPrefix + anID},
	} {
		f, err := Index(collection.Calendar, []byte(data))
		if err == nil || !slices.Equal(f.Props, want) || f.UID != "" {
			t.Errorf("%q: %+v %v", data, f, err)
		}
	}
	var many strings.Builder
	for i := range 2 * maxAttached {
		for n := range idLength {
			many.WriteByte('a' + byte(i>>n&1))
		}
		many.WriteByte('\n')
	}
	if f, _ := Index(collection.Calendar, []byte(many.String())); len(f.Props) != maxAttached {
		t.Errorf("%d", len(f.Props))
	}
}
