package davd

import (
	"net/http"
	"strings"
	"testing"

	"facteur/server/collection"
	"facteur/server/davxml"
)

// TestManagedMeetingTransferred: a meeting that is copied or moved to the calendar of somebody else has
// what is attached there too (RFC 8607 3.12.2), and makes nobody a reader of what others attached.
func TestManagedMeetingTransferred(t *testing.T) {
	s := newAttaching(t, func(o *Options) { o.Homes = openHomes(t, "127.0.0.1:1") })
	const asBob, officePath = "user: bob@example.org", "/dav/office@example.org/calendar/"
	meeting := event("talk", "DTSTART:20260510T080000Z", "ORGANIZER:mailto:boss@elsewhere.example", "ATTENDEE:mailto:boss@elsewhere.example")
	s.ask("PUT", eventPath, meeting).want(http.StatusCreated)
	s.add(eventPath, "a.txt", "octets")
	for _, method := range []string{"COPY", "MOVE"} {
		s.ask(method, eventPath, "", "Destination: "+officePath+"talk.ics").want(http.StatusCreated)
		got := s.object(officePath + "talk.ics")
		_, own, _ := strings.Cut(got, "ATTACH;")
		_, own, _ = strings.Cut(own, "/dav/")
		own, _, _ = strings.Cut(own, "\r\n")
		if !strings.HasPrefix(own, "office@example.org/.attachments/") || len(s.stored(office)) != 1 {
			t.Errorf("%s: %s", method, got)
		}
		if got := s.ask("GET", "/dav/"+own, "", asBob).want(http.StatusOK).body; got != "octets" {
			t.Errorf("%s: %q", method, got)
		}
		if method == "COPY" {
			s.ask("DELETE", officePath+"talk.ics", "").want(http.StatusNoContent)
		}
	}
	if left := s.stored(alice); len(left) != 0 {
		t.Errorf("left: %v", left)
	}

	// A server elsewhere publishes a meeting that names what alice attached.
	s.ask("PUT", eventPath, event("1")).want(http.StatusCreated)
	_, at := s.add(eventPath, "a.txt", "octets")
	_, line, _ := strings.Cut(s.object(eventPath), "ATTACH")
	line, _, _ = strings.Cut(line, "\r\n")
	const path = "/dav/bob@example.org/holidays/"
	s.ask("MKCOL", path, `<D:mkcol xmlns:D="DAV:" xmlns:CS="http://calendarserver.org/ns/"><D:set><D:prop><D:resourcetype><D:collection/><CS:subscribed/></D:resourcetype>`+
		`<CS:source><D:href>http://127.0.0.1:1/x.ics</D:href></CS:source></D:prop></D:set></D:mkcol>`, xmlBody, asBob).want(http.StatusCreated)
	home, err := s.homes.Own(bob)
	if err != nil {
		t.Fatal(err)
	}
	c, err := home.Open("holidays")
	if err != nil {
		t.Fatal(err)
	}
	stolen := strings.Replace(strings.ReplaceAll(meeting, "talk", "stolen"), "END:VEVENT", "ATTACH"+line+"\r\nEND:VEVENT", 1)
	if _, _, err := c.Put("1.ics", []byte(stolen), collection.Condition{}); err != nil { // as if it had been fetched
		t.Fatal(err)
	}
	s.ask("COPY", path+"1.ics", "", asBob, "Destination: "+officePath+"stolen.ics").condition(http.StatusForbidden, davxml.C("valid-managed-id-parameter"))
	s.ask("GET", at, "", asBob).want(http.StatusNotFound)
}
