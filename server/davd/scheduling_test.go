package davd

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"facteur/server/davxml"
	"facteur/server/scheduling"
)

// newScheduling is a server that schedules; mail goes nowhere.
func newScheduling(t *testing.T) *server {
	t.Helper()
	return newServer(t, func(o *Options) { o.Scheduling = openScheduling(t, o) })
}

func openScheduling(t testing.TB, o *Options) *scheduling.Scheduler {
	t.Helper()
	s, err := scheduling.Open(scheduling.Options{
		Homes: o.Homes, Directory: o.Directory, Dir: filepath.Join(t.TempDir(), "scheduling"), Now: o.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const invite = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//example//EN\r\nBEGIN:VEVENT\r\nUID:m1\r\nDTSTAMP:20260401T080000Z\r\n" +
	"DTSTART:20260510T100000Z\r\nDTEND:20260510T110000Z\r\nSUMMARY:Plan\r\nORGANIZER:mailto:alice@example.org\r\n" +
	"ATTENDEE;PARTSTAT=ACCEPTED:mailto:alice@example.org\r\nATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:bob@example.org\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"

// objects lists what a collection has.
func (s *server) objects(path, user string) []string {
	s.t.Helper()
	_, order := s.ask("PROPFIND", path, propfindOf(davxml.D("getetag")), "Depth: 1", "user: "+user).responses()
	return order[1:]
}

// TestScheduling is RFC 6638 as a client sees it.
func TestScheduling(t *testing.T) {
	s := newScheduling(t)
	const me, bobs = "/dav/alice@example.org/", "/dav/bob@example.org/"
	if dav := s.ask("OPTIONS", me, "").want(http.StatusOK).header.Get("DAV"); !strings.Contains(dav, "calendar-auto-schedule") || !strings.Contains(dav, "calendar-availability") {
		t.Errorf("DAV: %s", dav)
	}
	for name, want := range map[davxml.Name]string{
		davxml.C("schedule-inbox-URL"): "href(" + me + "inbox/)", davxml.C("schedule-outbox-URL"): "href(" + me + "outbox/)",
	} {
		if got := s.prop("/dav/principals/alice@example.org/", name); got.text() != want {
			t.Errorf("%s: %q", name, got.text())
		}
	}
	for path, want := range map[string]string{"inbox/": "collection schedule-inbox", "outbox/": "collection schedule-outbox"} {
		if got := s.prop(me+path, davxml.D("resourcetype")); got.text() != want {
			t.Errorf("%s: %q", path, got.text())
		}
	}

	// alice invites, bob has it, and a message in the inbox, which is read and removed.
	put := s.ask("PUT", me+"calendar/m.ics", invite).want(http.StatusCreated)
	tag := put.header.Get("Schedule-Tag")
	if tag == "" || put.header.Get("ETag") != "" {
		t.Errorf("Schedule-Tag %q, ETag %q", tag, put.header.Get("ETag"))
	}
	if got := s.prop(me+"calendar/m.ics", davxml.C("schedule-tag")); got.text() != tag {
		t.Errorf("schedule-tag %q", got.text())
	}
	if got := s.ask("GET", me+"calendar/m.ics", "").want(http.StatusOK).header.Get("Schedule-Tag"); got != tag {
		t.Errorf("Schedule-Tag of GET %q", got)
	}
	const user = "user: bob@example.org"
	in := s.objects(bobs+"inbox/", "bob@example.org")
	if len(in) != 1 {
		t.Fatalf("the inbox has %q", in)
	}
	if body := s.ask("GET", in[0], "", user).want(http.StatusOK).body; !strings.Contains(body, "METHOD:REQUEST") {
		t.Errorf("the message is %s", body)
	}
	for _, name := range []davxml.Name{davxml.CS("getctag"), davxml.D("sync-token")} {
		if got := s.prop(bobs+"inbox/", name, user); got.status != http.StatusOK {
			t.Errorf("%s of an inbox: %d", name, got.status)
		}
	}
	s.ask("PUT", bobs+"inbox/x.ics", invite, user).want(http.StatusNotFound)
	s.ask("DELETE", bobs+"inbox/", "", user).want(http.StatusMethodNotAllowed)
	s.ask("GET", in[0], "").want(http.StatusNotFound) // alice
	s.ask("DELETE", in[0], "", user).want(http.StatusNoContent)
	if left := s.objects(bobs+"inbox/", "bob@example.org"); len(left) != 0 {
		t.Errorf("left %q", left)
	}

	// bob may answer, and change nothing else.
	his := s.objects(bobs+"calendar/", "bob@example.org")[0]
	copy := s.ask("GET", his, "", user).want(http.StatusOK).body
	s.ask("PUT", his, strings.Replace(copy, "20260510T10", "20260510T09", 1), user).
		condition(http.StatusForbidden, davxml.C("allowed-attendee-scheduling-object-change"))
	s.ask("PUT", his, strings.Replace(copy, "PARTSTAT=NEEDS-ACTION:mailto:bob", "PARTSTAT=ACCEPTED:mailto:bob", 1), user).want(http.StatusNoContent)

	// The tag of alice's stays, so what she changes meanwhile does not undo the answer.
	s.ask("PUT", me+"calendar/m.ics", strings.Replace(invite, "Plan", "Big plan", 1), `If-Schedule-Tag-Match: "x"`).want(http.StatusPreconditionFailed)
	s.ask("PUT", me+"calendar/m.ics", strings.Replace(invite, "Plan", "Big plan", 1), "If-Schedule-Tag-Match: "+tag).want(http.StatusNoContent)
	if body := s.ask("GET", me+"calendar/m.ics", "").body; !strings.Contains(body, "Big plan") || !strings.Contains(body, "ATTENDEE;PARTSTAT=ACCEPTED;") {
		t.Errorf("alice has %s", body)
	}

	// A meeting is in one calendar of a home.
	s.ask("MKCALENDAR", me+"more/", "").want(http.StatusCreated)
	f := s.ask("PUT", me+"more/m.ics", invite).condition(http.StatusForbidden, davxml.C("unique-scheduling-object-resource"))
	if !strings.Contains(f.body, me+"calendar/m.ics") {
		t.Errorf("it is not told where: %s", f.body)
	}

	s.ask("DELETE", me+"calendar/m.ics", "").want(http.StatusNoContent)
	s.ask("GET", his, "", user).want(http.StatusNotFound)
}

// TestQuietDecline: Schedule-Reply: F.
func TestQuietDecline(t *testing.T) {
	s := newScheduling(t)
	s.ask("PUT", "/dav/alice@example.org/calendar/m.ics", invite).want(http.StatusCreated)
	his := s.objects("/dav/bob@example.org/calendar/", "bob@example.org")[0]
	s.ask("DELETE", his, "", "user: bob@example.org", "Schedule-Reply: F").want(http.StatusNoContent)
	if body := s.ask("GET", "/dav/alice@example.org/calendar/m.ics", "").body; strings.Contains(body, "DECLINED") {
		t.Errorf("she was told: %s", body)
	}
}

// TestOutbox: when others are busy, asked by those who may.
func TestOutbox(t *testing.T) {
	s := newScheduling(t)
	s.ask("PUT", "/dav/bob@example.org/calendar/e.ics", strings.NewReplacer("ORGANIZER:mailto:alice@example.org\r\n", "", "ATTENDEE;PARTSTAT=ACCEPTED:mailto:alice@example.org\r\n", "",
		"ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:bob@example.org\r\n", "").Replace(invite), "user: bob@example.org").want(http.StatusCreated)
	const question = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//example//EN\r\nMETHOD:REQUEST\r\nBEGIN:VFREEBUSY\r\nUID:f1\r\nDTSTAMP:20260501T000000Z\r\n" +
		"DTSTART:20260510T000000Z\r\nDTEND:20260511T000000Z\r\nORGANIZER:mailto:alice@example.org\r\nATTENDEE:mailto:bob@example.org\r\n" +
		"ATTENDEE:mailto:nobody@example.org\r\nEND:VFREEBUSY\r\nEND:VCALENDAR\r\n"
	a := s.ask("POST", "/dav/alice@example.org/outbox/", question, "Content-Type: text/calendar").want(http.StatusOK)
	var got []string
	for _, r := range a.xml().All(davxml.C("response")) {
		line := r.Child(davxml.C("recipient")).Child(davxml.D("href")).Text + " " + r.Child(davxml.C("request-status")).Text
		if data := r.Child(davxml.C("calendar-data")); data != nil && strings.Contains(data.Text, "20260510T100000Z/") {
			line += " busy"
		}
		got = append(got, line)
	}
	if strings.Join(got, ", ") != "mailto:bob@example.org 2.0;Success busy, mailto:nobody@example.org 3.7;Invalid calendar user" {
		t.Errorf("%q", got)
	}
	s.ask("POST", "/dav/alice@example.org/outbox/", "x").condition(http.StatusForbidden, davxml.C("valid-calendar-data"))
	s.ask("POST", "/dav/alice@example.org/outbox/", question, "user: bob@example.org").want(http.StatusNotFound)
	s.ask("POST", "/dav/office@example.org/outbox/", question, "user: carol@example.org").want(http.StatusNotFound)
	s.ask("POST", "/dav/office@example.org/outbox/", question, "user: bob@example.org").condition(http.StatusForbidden, davxml.C("organizer-allowed"))
	s.ask("POST", "/dav/alice@example.org/outbox/", strings.Repeat("x", maxQuestion+1)).condition(http.StatusForbidden, davxml.C("max-resource-size"))
	s.ask("PUT", "/dav/alice@example.org/outbox/x.ics", question).want(http.StatusNotFound)
}

// TestDefaultCalendar: where invitations go is the owner's choice.
func TestDefaultCalendar(t *testing.T) {
	s := newScheduling(t)
	const inbox, user = "/dav/bob@example.org/inbox/", "user: bob@example.org"
	url := davxml.C("schedule-default-calendar-URL")
	if got := s.prop(inbox, url, user); got.text() != "href(/dav/bob@example.org/calendar/)" {
		t.Errorf("%q", got.text())
	}
	s.ask("MKCALENDAR", "/dav/bob@example.org/work/", "", user).want(http.StatusCreated)
	set := func(href string) *answer {
		return s.ask("PROPPATCH", inbox, `<D:propertyupdate xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:set><D:prop>`+
			`<C:schedule-default-calendar-URL><D:href>`+href+`</D:href></C:schedule-default-calendar-URL></D:prop></D:set></D:propertyupdate>`, user)
	}
	for _, bad := range []string{"/dav/bob@example.org/none/", "/dav/bob@example.org/contacts/", "/dav/alice@example.org/calendar/", "/dav/bob@example.org/", "%"} {
		if all, _ := set(bad).responses(); all[inbox][url].status == http.StatusOK {
			t.Errorf("%s is taken", bad)
		}
	}
	if all, _ := set("/dav/bob@example.org/work/").responses(); all[inbox][url].status != http.StatusOK {
		t.Error("it is not taken")
	}
	s.ask("PUT", "/dav/alice@example.org/calendar/m.ics", invite).want(http.StatusCreated)
	if got := s.objects("/dav/bob@example.org/work/", "bob@example.org"); len(got) != 1 {
		t.Errorf("there are %q", got)
	}

	availability := davxml.C("calendar-availability")
	patch := func(text string) int {
		all, _ := s.ask("PROPPATCH", inbox, `<D:propertyupdate xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:set><D:prop>`+
			`<C:calendar-availability>`+text+`</C:calendar-availability></D:prop></D:set></D:propertyupdate>`, user).responses()
		return all[inbox][availability].status
	}
	const hours = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VAVAILABILITY\r\nUID:a\r\nDTSTAMP:20260101T000000Z\r\nEND:VAVAILABILITY\r\nEND:VCALENDAR\r\n"
	if patch("nonsense") != http.StatusForbidden || patch(hours) != http.StatusOK {
		t.Error("the availability is not looked at")
	}
	if got := s.prop(inbox, availability, user); !strings.Contains(got.text(), "VAVAILABILITY") {
		t.Errorf("%q", got.text())
	}
}

// TestAvailabilityOfMacs: Macs have another name for the property of RFC 7953, and can't set what they do
// not find.
func TestAvailabilityOfMacs(t *testing.T) {
	s := newScheduling(t)
	const inbox, user = "/dav/bob@example.org/inbox/", "user: bob@example.org"
	standard, old := davxml.C("calendar-availability"), davxml.CS("calendar-availability")
	if got := s.prop(inbox, old, user); got.status != http.StatusOK || got.text() != "" {
		t.Errorf("before: %d %q", got.status, got.text())
	}
	if got := s.prop(inbox, standard, user); got.status != http.StatusNotFound {
		t.Errorf("before, by the name of the RFC: %d %q", got.status, got.text())
	}
	patch := func(text string) int {
		all, _ := s.ask("PROPPATCH", inbox, `<D:propertyupdate xmlns:D="DAV:" xmlns:CS="http://calendarserver.org/ns/"><D:set><D:prop>`+
			`<CS:calendar-availability>`+text+`</CS:calendar-availability></D:prop></D:set></D:propertyupdate>`, user).responses()
		return all[inbox][old].status
	}
	const hours = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VAVAILABILITY\r\nUID:a\r\nDTSTAMP:20260101T000000Z\r\nEND:VAVAILABILITY\r\nEND:VCALENDAR\r\n"
	if patch("nonsense") != http.StatusForbidden || patch(hours) != http.StatusOK {
		t.Error("what is set is not looked at")
	}
	for _, name := range []davxml.Name{standard, old} {
		if got := s.prop(inbox, name, user); !strings.Contains(got.text(), "VAVAILABILITY") {
			t.Errorf("%v: %q", name, got.text())
		}
	}
	if patch("") != http.StatusOK || s.prop(inbox, standard, user).status != http.StatusNotFound {
		t.Error("what is empty does not take it away")
	}
}
