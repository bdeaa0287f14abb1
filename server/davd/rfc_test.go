package davd

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/collection"
	"facteur/server/davxml"
)

// TestPrivilegeTree: which privileges hold which (RFC 3744 5.3, RFC 4791 6.1.1, RFC 6638 6), and
// where there is one at all.
func TestPrivilegeTree(t *testing.T) {
	s := newScheduling(t)
	s.keep("calendar", map[string]string{"a.ics": event("1")})
	const write = "write(write-properties write-content bind unbind) read-acl read-current-user-privilege-set write-acl"
	for path, want := range map[string]string{
		calendarPath:           "all(read(read-free-busy) " + write + ")",
		calendarPath + "a.ics": "all(read(read-free-busy) " + write + ")",
		homePath:               "all(read(read-free-busy) " + write + ")",
		contactsPath:           "all(read " + write + ")",
		homePath + "inbox/":    "all(read(read-free-busy) " + write + " schedule-deliver(schedule-deliver-invite schedule-deliver-reply schedule-query-freebusy))",
		homePath + "outbox/":   "all(read " + write + " schedule-send(schedule-send-invite schedule-send-reply schedule-send-freebusy))",
	} {
		root := s.prop(path, davxml.D("supported-privilege-set")).Child(davxml.D("supported-privilege"))
		if got := privilegeTree(root); got != want {
			t.Errorf("%s: %s\nwant %s", path, got, want)
		}
	}
	for path, want := range map[string]string{
		homePath + "inbox/":  "schedule-deliver schedule-deliver-invite schedule-deliver-reply schedule-query-freebusy",
		homePath + "outbox/": "schedule-send schedule-send-invite schedule-send-reply schedule-send-freebusy",
	} {
		if got := strings.Join(s.privilegesOf(alice, path), " "); !strings.HasSuffix(got, want) {
			t.Errorf("%s: %s", path, got)
		}
	}
}

func privilegeTree(e *davxml.Element) string {
	out := e.Child(davxml.D("privilege")).Children[0].Name.Local
	var in []string
	for _, c := range e.All(davxml.D("supported-privilege")) {
		in = append(in, privilegeTree(c))
	}
	if len(in) > 0 {
		out += "(" + strings.Join(in, " ") + ")"
	}
	return out
}

// TestMakeCalendarFails: a property that can't be set is told in a multistatus (RFC 4791
// 5.3.1.1), and nothing was made.
func TestMakeCalendarFails(t *testing.T) {
	s := newServer(t)
	all, _ := s.ask("MKCALENDAR", homePath+"x/", `<C:mkcalendar`+xmlns+`><D:set><D:prop><D:displayname>X</D:displayname>`+
		`<C:calendar-timezone-id>Mars/Base</C:calendar-timezone-id></D:prop></D:set></C:mkcalendar>`, xmlType).responses()
	props := all[homePath+"x/"]
	if props[davxml.D("displayname")].status != http.StatusFailedDependency || props[davxml.C("calendar-timezone-id")].status != http.StatusForbidden {
		t.Errorf("%v", all)
	}
	s.ask("PROPFIND", homePath+"x/", "", "Depth: 0").want(http.StatusNotFound)
	s.ask("MKCALENDAR", homePath+"x/", `<C:mkcalendar`+xmlns+`><D:set><D:prop><C:calendar-timezone>x</C:calendar-timezone></D:prop></D:set></C:mkcalendar>`, xmlType).want(http.StatusMultiStatus)
	s.ask("MKCALENDAR", homePath+"x/", `<D:mkcol`+xmlns+`/>`, xmlType).want(http.StatusBadRequest)
	made := s.ask("MKCALENDAR", homePath+"x/", "", "Prefer: return=minimal").want(http.StatusCreated)
	if made.header.Get("Preference-Applied") != "return=minimal" || !strings.Contains(made.header.Get("Cache-Control"), "no-cache") || made.body != "" {
		t.Errorf("%v %s", made.header, made.body)
	}
}

// TestLocations: where no calendar, address book or object can be, the precondition says which
// (RFC 4791 5.3.2.1, RFC 6352 6.3.2.1).
func TestLocations(t *testing.T) {
	s := newServer(t)
	s.keep("calendar", map[string]string{"a.ics": event("1")})
	s.keep("contacts", map[string]string{"a.vcf": card("1", "Ann")})
	calendarOK, bookOK := davxml.C("calendar-collection-location-ok"), davxml.CR("addressbook-collection-location-ok")
	s.ask("MKCOL", contactsPath+"x", mkcolBook, xmlType).condition(http.StatusForbidden, bookOK)
	s.ask("MKCOL", homePath+"a~b", mkcolBook, xmlType).condition(http.StatusForbidden, bookOK)
	s.ask("MKCALENDAR", calendarPath+"x", "").condition(http.StatusForbidden, calendarOK)
	s.ask("MKCALENDAR", homePath+"a~b", "").condition(http.StatusForbidden, calendarOK)
	for _, c := range []struct {
		method, from, to string
		name             davxml.Name
	}{
		{"MOVE", calendarPath, "/dav/office@example.org/x/", calendarOK}, {"COPY", calendarPath, homePath + "x/", calendarOK},
		{"MOVE", contactsPath, calendarPath + "x", bookOK},
		{"COPY", calendarPath + "a.ics", contactsPath + "b.vcf", davxml.CR("supported-address-data")},
		{"MOVE", contactsPath + "a.vcf", calendarPath + "b.ics", davxml.C("supported-calendar-data")},
	} {
		s.ask(c.method, c.from, "", "Destination: "+c.to).condition(http.StatusForbidden, c.name)
	}
}

// TestConditionsOfAll: If-Match and If-None-Match count for each method that changes something
// (RFC 9110 13.1), and say nothing of those that tell of properties.
func TestConditionsOfAll(t *testing.T) {
	s := newServer(t)
	s.ask("MKCALENDAR", homePath+"x/", "").want(http.StatusCreated)
	x := homePath + "x/"
	tag := s.prop(x, davxml.D("getetag")).text()
	body := update("<D:displayname>X</D:displayname>", "")
	for _, wrong := range []string{`If-Match: "other"`, "If-Match: W/" + tag, "If-None-Match: " + tag, "If-None-Match: *"} {
		s.ask("PROPPATCH", x, body, wrong).want(http.StatusPreconditionFailed)
		s.ask("DELETE", x, "", wrong).want(http.StatusPreconditionFailed)
		s.ask("MOVE", x, "", wrong, "Destination: "+homePath+"y/").want(http.StatusPreconditionFailed)
		s.ask("ACL", x, aclBody(""), wrong).want(http.StatusPreconditionFailed)
		s.ask("PROPFIND", x, "", wrong, "Depth: 0").want(http.StatusMultiStatus)
		s.ask("OPTIONS", x, "", wrong).want(http.StatusOK)
	}
	s.ask("MKCALENDAR", homePath+"y/", "", "If-Match: *").want(http.StatusPreconditionFailed)
	s.ask("PROPPATCH", homePath, body, `If-Match: W/"x"`).want(http.StatusPreconditionFailed)
	s.ask("PROPPATCH", x, body, "If-Match: nonsense").want(http.StatusBadRequest)
	s.ask("PROPPATCH", x, body, "If-Match: "+tag).want(http.StatusMultiStatus)
	s.ask("MKCALENDAR", homePath+"y/", "", "If-None-Match: *").want(http.StatusCreated)
	s.ask("DELETE", x, "", "If-Match: *").want(http.StatusNoContent)
	s.ask("GET", calendarPath+"?export", "", "If-None-Match: *").want(http.StatusNotModified)
}

// TestDates: the conditions on when something was changed (RFC 9110 13.1.3, 13.1.4), which an
// entity tag outweighs (13.2.2).
func TestDates(t *testing.T) {
	s := newServer(t)
	path := calendarPath + "a.ics"
	tag := s.ask("PUT", path, event("1")).want(http.StatusCreated).header.Get("ETag")
	got := s.ask("GET", path, "").want(http.StatusOK)
	modified := got.header.Get("Last-Modified")
	if modified == "" || s.prop(path, davxml.D("getlastmodified")).text() != modified {
		t.Errorf("Last-Modified: %q", modified)
	}
	const old = "Sat, 29 Oct 1994 19:43:31 GMT"
	s.ask("GET", path, "", "If-Modified-Since: "+modified).want(http.StatusNotModified)
	s.ask("GET", path, "", "If-Modified-Since: "+old).want(http.StatusOK)
	s.ask("GET", path, "", "If-Modified-Since: "+modified, `If-None-Match: "other"`).want(http.StatusOK)
	s.ask("PUT", path, event("1"), "If-Unmodified-Since: "+old).want(http.StatusPreconditionFailed)
	s.ask("DELETE", path, "", "If-Unmodified-Since: "+old).want(http.StatusPreconditionFailed)
	s.ask("PUT", path, event("1"), "If-Unmodified-Since: "+old, "If-Match: "+tag).want(http.StatusNoContent)
	if part := s.ask("GET", path, "", "Range: bytes=0-4", "If-Range: "+tag).want(http.StatusPartialContent); part.body != "BEGIN" {
		t.Errorf("%q", part.body)
	}
	s.ask("GET", path, "", "Range: bytes=0-4", `If-Range: "other"`).want(http.StatusOK)
}

// TestNeedlessBody: a body that would be passed over is refused (RFC 4918 8.4).
func TestNeedlessBody(t *testing.T) {
	s := newPlainServer(t)
	s.ask("PUT", filesPath+"a", "a").want(http.StatusCreated)
	s.keep("calendar", map[string]string{"a.ics": event("1")})
	for _, path := range []string{filesPath + "a", calendarPath + "a.ics"} {
		for _, method := range []string{"DELETE", "COPY", "MOVE"} {
			s.ask(method, path, "<x/>", "Destination: "+path+"b").want(http.StatusUnsupportedMediaType)
		}
		s.ask("GET", path, "").want(http.StatusOK)
	}
	s.ask("UNLOCK", filesPath+"a", "<x/>", "Lock-Token: <urn:x>").want(http.StatusUnsupportedMediaType)
}

// TestEncodedBody: what is compressed is not taken for something that is wrong.
func TestEncodedBody(t *testing.T) {
	s := newPlainServer(t)
	for _, c := range [][2]string{
		{"PROPFIND", homePath}, {"PROPPATCH", calendarPath}, {"REPORT", calendarPath}, {"MKCALENDAR", homePath + "new/"},
		{"MKCOL", homePath + "new/"}, {"ACL", calendarPath}, {"LOCK", filesPath + "a"},
		{"PUT", calendarPath + "a.ics"}, {"PUT", contactsPath + "a.vcf"}, {"PUT", filesPath + "a"},
	} {
		a := s.ask(c[0], c[1], "\x1f\x8b\x08", "Content-Encoding: gzip", "Depth: 0").want(http.StatusUnsupportedMediaType)
		if a.header.Get("Accept-Encoding") != "identity" {
			t.Errorf("%s %s: %v", c[0], c[1], a.header)
		}
	}
}

// TestOneUID: an object keeps its UID as long as it is there, and no other of the collection has
// it (RFC 4791 5.3.2.1, RFC 6352 6.3.2.1).
func TestOneUID(t *testing.T) {
	s := newServer(t)
	s.ask("PUT", calendarPath+"a.ics", event("1")).want(http.StatusCreated)
	s.ask("PUT", contactsPath+"a.vcf", card("1", "Ann")).want(http.StatusCreated)
	s.ask("PUT", calendarPath+"a.ics", event("2")).condition(http.StatusConflict, davxml.C("no-uid-conflict"))
	s.ask("PUT", contactsPath+"a.vcf", card("2", "Ann")).condition(http.StatusConflict, davxml.CR("no-uid-conflict"))
	f := s.ask("PUT", contactsPath+"b.vcf", card("1", "Ann")).condition(http.StatusConflict, davxml.CR("no-uid-conflict"))
	if got := short(f.xml().Child(davxml.CR("no-uid-conflict"))); got != "href("+contactsPath+"a.vcf)" {
		t.Errorf("it is said to be at %s", got)
	}
}

// TestKeptAsSent: what a server knows nothing of comes back octet by octet: properties of RFC
// 7986, VAVAILABILITY (RFC 7953), other names (RFC 4791 5.3.3, RFC 6352 6.3.2.2), vCard 4.0.
func TestKeptAsSent(t *testing.T) {
	s := newServer(t)
	s.ask("MKCALENDAR", homePath+"all/", "").want(http.StatusCreated)
	newer := "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nUID:c\r\nNAME:Choir\r\nCOLOR:turquoise\r\nREFRESH-INTERVAL;VALUE=DURATION:P1W\r\nSOURCE;VALUE=URI:https://example.org/c.ics\r\n" +
		"BEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260310T100000Z\r\nCOLOR:red\r\nIMAGE;VALUE=URI;DISPLAY=BADGE:https://example.org/a.png\r\n" +
		"CONFERENCE;VALUE=URI;FEATURE=AUDIO,VIDEO:https://example.org/m\r\nX-OWN;X-P=\"a,b\":x\r\nBEGIN:X-PART\r\nA:b\r\nEND:X-PART\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
	hours := "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VAVAILABILITY\r\nUID:2\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260301T000000Z\r\nDTEND:20260401T000000Z\r\n" +
		"BEGIN:AVAILABLE\r\nUID:3\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260302T090000Z\r\nDURATION:PT8H\r\nRRULE:FREQ=DAILY\r\nEND:AVAILABLE\r\nEND:VAVAILABILITY\r\nEND:VCALENDAR\r\n"
	four := "BEGIN:VCARD\r\nVERSION:4.0\r\nUID:urn:uuid:1\r\nFN;ALTID=1;LANGUAGE=fr:Zoé\r\nKIND:group\r\nMEMBER:urn:uuid:2\r\nX-OWN:1\r\nitem1.TEL;TYPE=\"voice,home\":tel:+1\r\nEND:VCARD\r\n"
	for path, body := range map[string]string{homePath + "all/1.ics": newer, homePath + "all/2.ics": hours, contactsPath + "4.vcf": four} {
		tag := s.ask("PUT", path, body).want(http.StatusCreated).header.Get("ETag")
		if got := s.ask("GET", path, ""); got.body != body || got.header.Get("ETag") != tag || tag == "" {
			t.Errorf("%s: ETag %q of %v\n%s", path, tag, got.header, got.body)
		}
	}
	if got := s.report(homePath+"all/", calQuery("VAVAILABILITY", `<C:time-range start="20260310T000000Z" end="20260311T000000Z"/>`, "<D:getetag/>")).names(); got != "2.ics" {
		t.Errorf("available: %s", got)
	}
	part := s.report(homePath+"all/", calQuery("VEVENT", "", `<C:calendar-data><C:comp name="VCALENDAR"><C:comp name="VEVENT"><C:prop name="CONFERENCE"/></C:comp></C:comp></C:calendar-data>`))
	if !strings.Contains(part.body, "CONFERENCE;VALUE=URI;FEATURE=AUDIO,VIDEO:https://example.org/m") {
		t.Error(part.body)
	}
	s.ask("PUT", homePath+"all/9.ics", event("9", "DTSTART:20260101T000000Z", "RRULE:RSCALE=HEBREW;FREQ=YEARLY")).condition(http.StatusForbidden, davxml.C("supported-rscale"))
	s.ask("PUT", homePath+"all/9.ics", event("9", "DTSTART:20260101T000000Z", "RRULE:RSCALE=GREGORIAN;FREQ=YEARLY")).want(http.StatusCreated)
	if got := s.prop(homePath+"all/", davxml.C("supported-rscale-set")).text(); got != "supported-rscale(GREGORIAN)" {
		t.Errorf("supported-rscale-set: %s", got)
	}
}

// TestPropertiesGoAlong: dead properties with their language (RFC 4918 4.3) are those of a copy
// too, and of what was moved (RFC 4918 9.8.2, 9.9.1).
func TestPropertiesGoAlong(t *testing.T) {
	s := newServer(t)
	s.ask("MKCALENDAR", homePath+"work/", "").want(http.StatusCreated)
	s.keep("calendar", map[string]string{"a.ics": event("1")})
	at := calendarPath + "a.ics"
	body := strings.Replace(update("<x:dead>chœur</x:dead>", ""), "<D:set>", `<D:set xml:lang="fr">`, 1)
	s.ask("PROPPATCH", at, body, xmlType).want(http.StatusMultiStatus)
	s.ask("COPY", at, "", "Destination: "+homePath+"work/b.ics").want(http.StatusCreated)
	s.ask("MOVE", at, "", "Destination: "+calendarPath+"c.ics").want(http.StatusCreated)
	for _, path := range []string{homePath + "work/b.ics", calendarPath + "c.ics"} {
		if got := s.prop(path, dead); got.status != http.StatusOK || got.text() != "chœur" || got.Lang != "fr" {
			t.Errorf("%s: %d %q %q", path, got.status, got.text(), got.Lang)
		}
	}
}

// TestLanguage: the language of a text is kept with it (RFC 4918 4.3), whoever sees it, and goes
// when another program changes the text.
func TestLanguage(t *testing.T) {
	s := newServer(t)
	name, about := davxml.D("displayname"), davxml.C("calendar-description")
	s.ask("PROPPATCH", calendarPath, strings.Replace(update(`<D:displayname>Chœur</D:displayname><C:calendar-description xml:lang="nl">Koor</C:calendar-description>`, ""),
		"<D:set>", `<D:set xml:lang="fr">`, 1)).want(http.StatusMultiStatus)
	is := func(name davxml.Name, text, lang string) {
		t.Helper()
		if got := s.prop(calendarPath, name); got.text() != text || got.Lang != lang {
			t.Errorf("%s: %q in %q", name, got.text(), got.Lang)
		}
	}
	is(name, "Chœur", "fr")
	is(about, "Koor", "nl")
	s.ask("PROPPATCH", calendarPath, update("<C:calendar-description>Choir</C:calendar-description>", "")).want(http.StatusMultiStatus)
	is(about, "Choir", "")
	h, err := s.homes.Open(alice, alice)
	if err != nil {
		t.Fatal(err)
	}
	c, err := h.Open("calendar")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetProps(func(p *collection.Props) error { p.DisplayName = "Choir"; return nil }); err != nil {
		t.Fatal(err)
	}
	is(name, "Choir", "")
	s.ask("MKCALENDAR", homePath+"x/", `<C:mkcalendar`+xmlns+`><D:set><D:prop xml:lang="fr"><D:displayname>Été</D:displayname></D:prop></D:set></C:mkcalendar>`, xmlType).want(http.StatusCreated)
	if got := s.prop(homePath+"x/", name); got.text() != "Été" || got.Lang != "fr" {
		t.Errorf("%q in %q", got.text(), got.Lang)
	}
	all, _ := s.ask("PROPFIND", homePath+"x/", "", "Depth: 0").responses()
	for name := range all[homePath+"x/"] {
		if strings.Contains(name.String(), "lang") {
			t.Errorf("%s is told", name)
		}
	}
}

// TestQuotaProperties is RFC 4331: what is used of a quota, of all that counts.
func TestQuotaProperties(t *testing.T) {
	quota := int64(0)
	s := newServer(t, func(o *Options) {
		o.Usage = func(address.Address) (int64, int64, error) { return 300, quota, nil }
	})
	used, available := davxml.D("quota-used-bytes"), davxml.D("quota-available-bytes")
	if a, b := s.prop(calendarPath, used), s.prop(calendarPath, available); a.text() != "300" || b.status != http.StatusNotFound {
		t.Errorf("without a quota: %s, %d", a.text(), b.status)
	}
	quota = 1000
	for _, path := range []string{homePath, calendarPath, contactsPath} {
		if got := s.prop(path, available); got.text() != "700" {
			t.Errorf("%s: %s", path, got.text())
		}
	}
	all, _ := s.ask("PROPPATCH", calendarPath, update("<D:quota-used-bytes>1</D:quota-used-bytes>", "")).responses()
	if all[calendarPath][used].status != http.StatusForbidden {
		t.Error("it is not protected")
	}
	if all, _ := s.ask("PROPFIND", calendarPath, "", "Depth: 0").responses(); all[calendarPath][used].Element != nil {
		t.Error("allprop has it") // RFC 4331 3
	}
}

// TestScheduleTagOfTransfer: If-Schedule-Tag-Match counts for COPY and MOVE too (RFC 6638 8.3), and
// who copies a meeting is told where it is (3.2.4.1).
func TestScheduleTagOfTransfer(t *testing.T) {
	s := newScheduling(t)
	s.ask("MKCALENDAR", homePath+"more/", "").want(http.StatusCreated)
	tag := s.ask("PUT", calendarPath+"m.ics", invite).want(http.StatusCreated).header.Get("Schedule-Tag")
	to := "Destination: " + homePath + "more/m.ics"
	s.ask("MOVE", calendarPath+"m.ics", "", to, `If-Schedule-Tag-Match: "x"`).want(http.StatusPreconditionFailed)
	f := s.ask("COPY", calendarPath+"m.ics", "", to).condition(http.StatusForbidden, davxml.C("unique-scheduling-object-resource"))
	if got := short(f.xml().Child(davxml.C("unique-scheduling-object-resource"))); got != "href("+calendarPath+"m.ics)" {
		t.Errorf("it is said to be at %s", got)
	}
	if a := s.ask("MOVE", calendarPath+"m.ics", "", to, "If-Schedule-Tag-Match: "+tag).want(http.StatusCreated); a.header.Get("Schedule-Tag") != tag {
		t.Errorf("the answer has the tag %q", a.header.Get("Schedule-Tag"))
	}
	if got := s.prop(homePath+"more/m.ics", davxml.C("schedule-tag")).text(); got != tag {
		t.Errorf("the tag is %s, was %s", got, tag)
	}
	s.ask("POST", homePath+"outbox/", "{}", "Content-Type: application/json").condition(http.StatusForbidden, davxml.C("supported-calendar-data"))
	if got := s.prop(calendarPath, davxml.C("max-attendees-per-instance")).text(); got != "10000" {
		t.Errorf("attendees: %s", got)
	}
}

// TestTransferMeeting: a meeting that is copied to somebody else's calendar is put there, and
// who organizes one does not lose it by MOVE (RFC 6638 3.2.3.2, 3.2.3.3).
func TestTransferMeeting(t *testing.T) {
	s := newScheduling(t)
	const theirs, bobs, user = "/dav/office@example.org/calendar/", "/dav/bob@example.org/calendar/", "user: bob@example.org"
	s.ask("PUT", calendarPath+"m.ics", invite).want(http.StatusCreated)
	s.ask("MOVE", calendarPath+"m.ics", "", "Destination: "+theirs+"m.ics").condition(http.StatusForbidden, davxml.C("allowed-organizer-scheduling-object-change"))
	if a := s.ask("COPY", calendarPath+"m.ics", "", "Destination: "+theirs+"m.ics").want(http.StatusCreated); a.header.Get("Schedule-Tag") == "" {
		t.Error("no tag")
	}
	s.ask("COPY", calendarPath+"m.ics", "", "Destination: "+theirs+"m.ics", "Overwrite: F").want(http.StatusPreconditionFailed)
	s.ask("COPY", calendarPath+"m.ics", "", "Destination: "+theirs+"m.ics").want(http.StatusNoContent)
	s.ask("COPY", calendarPath+"m.ics", "", "Destination: "+theirs+"n.ics").condition(http.StatusConflict, davxml.C("no-uid-conflict"))

	// bob moves his copy over that, and declines by it.
	his := s.objects(bobs, "bob@example.org")
	if len(his) != 1 {
		t.Fatalf("bob has %q", his)
	}
	s.ask("MOVE", his[0], "", "Destination: "+theirs+"m.ics", user, `If-Schedule-Tag-Match: "x"`).want(http.StatusPreconditionFailed)
	s.ask("MOVE", his[0], "", "Destination: "+theirs+"m.ics", user).want(http.StatusNoContent)
	if body := s.ask("GET", calendarPath+"m.ics", "").body; !strings.Contains(body, "PARTSTAT=DECLINED") {
		t.Errorf("alice has %s", body)
	}
	if left := s.objects(bobs, "bob@example.org"); len(left) != 0 {
		t.Errorf("bob has %q", left)
	}

	// No other event takes the place of a meeting.
	s.ask("PUT", calendarPath+"o.ics", strings.ReplaceAll(invite, "UID:m1", "UID:o1")).want(http.StatusCreated)
	s.ask("PUT", calendarPath+"e.ics", event("e")).want(http.StatusCreated)
	if got := len(s.objects(bobs, "bob@example.org")); got != 1 {
		t.Fatalf("bob has %d", got)
	}
	s.ask("MOVE", calendarPath+"e.ics", "", "Destination: "+calendarPath+"o.ics", "Overwrite: F").want(http.StatusPreconditionFailed)
	s.ask("MOVE", calendarPath+"e.ics", "", "Destination: "+calendarPath+"o.ics").condition(http.StatusConflict, davxml.C("no-uid-conflict"))
	if got := len(s.objects(bobs, "bob@example.org")); got != 1 {
		t.Errorf("bob has %d", got)
	}
}

// TestAnswerHeaders: what each answer has, also one that is an error.
func TestAnswerHeaders(t *testing.T) {
	s := newServer(t)
	for _, a := range []*answer{s.ask("OPTIONS", calendarPath, ""), s.ask("GET", calendarPath+"none.ics", ""), s.ask("PROPFIND", homePath, "", "Depth: 1")} {
		for name, want := range map[string]string{"Dav": "calendar-access", "Cache-Control": "private", "Vary": "Prefer", "X-Content-Type-Options": "nosniff"} {
			if !strings.Contains(a.header.Get(name), want) {
				t.Errorf("%d: %s: %q", a.status, name, a.header.Get(name))
			}
		}
	}
	if a := s.ask("PROPFIND", homePath, "", "Depth: 0"); a.header.Get("Content-Type") != "application/xml; charset=utf-8" || !strings.HasPrefix(a.body, "<?xml") {
		t.Errorf("%s\n%s", a.header.Get("Content-Type"), a.body)
	}
	if a := s.ask("PUT", calendarPath, "x").want(http.StatusMethodNotAllowed); !strings.Contains(a.header.Get("Allow"), "PROPFIND") {
		t.Errorf("Allow: %q", a.header.Get("Allow"))
	}
	s.keep("calendar", map[string]string{"a.ics": event("1")})
	made := s.prop(calendarPath+"a.ics", davxml.D("creationdate")).text()
	if _, err := time.Parse(time.RFC3339, made); err != nil { // RFC 4918 15.1
		t.Error(err)
	}
	if got := s.prop(calendarPath, davxml.C("supported-collation-set")).text(); !strings.Contains(got, "i;ascii-casemap") || !strings.Contains(got, "i;octet") {
		t.Errorf("collations: %s", got)
	}
	if got := s.prop(contactsPath, davxml.CR("supported-collation-set")).text(); !strings.Contains(got, "i;ascii-casemap") || !strings.Contains(got, "i;unicode-casemap") {
		t.Errorf("collations: %s", got)
	}
	if got := s.prop(calendarPath, davxml.D("supported-method-set")); len(got.Children) == 0 || got.Children[0].Attr("name") == "" {
		t.Errorf("methods: %s", got.text())
	}
}

// TestDescriptions: properties that say what a collection is and takes, and those that are empty.
func TestDescriptions(t *testing.T) {
	s := newServer(t)
	s.ask("PROPPATCH", contactsPath, strings.Replace(update("<R:addressbook-description>Who &lt;we&gt; are</R:addressbook-description>", ""), "<D:propertyupdate", `<D:propertyupdate xmlns:R="urn:ietf:params:xml:ns:carddav"`, 1)).want(http.StatusMultiStatus)
	if got := s.prop(contactsPath, davxml.CR("addressbook-description")); got.text() != "Who <we> are" {
		t.Errorf("description: %d %s", got.status, got.text())
	}
	var versions []string
	for _, d := range s.prop(contactsPath, davxml.CR("supported-address-data")).Children {
		versions = append(versions, d.Attr("content-type")+" "+d.Attr("version"))
	}
	if got := strings.Join(versions, ", "); got != "text/vcard 3.0, text/vcard 4.0" {
		t.Errorf("address data: %s", got)
	}
	if d := s.prop(calendarPath, davxml.C("supported-calendar-data")).Child(davxml.C("calendar-data")); d.Attr("content-type") != "text/calendar" || d.Attr("version") != "2.0" {
		t.Errorf("calendar data: %s", d.Raw())
	}
	for path, name := range map[string]davxml.Name{alicePrincipal: davxml.D("alternate-URI-set"), calendarPath: davxml.D("group"), homePath: davxml.D("inherited-acl-set")} {
		if got := s.prop(path, name); got.status != http.StatusOK || len(got.Children) > 0 || got.text() != "" {
			t.Errorf("%s: %d %s", name, got.status, got.text())
		}
	}
}

// TestHomeCards: a query and a multiget of address books work on the home too (RFC 6352 8.2).
func TestHomeCards(t *testing.T) {
	s := withObjects(t)
	query := `<CR:addressbook-query` + xmlns + `><D:prop><D:getetag/></D:prop><CR:filter><CR:prop-filter name="FN"><CR:text-match>ZO</CR:text-match></CR:prop-filter></CR:filter></CR:addressbook-query>`
	if got := s.report(homePath, query, "Depth: infinity").names(); !strings.HasPrefix(got, "zoe.vcf") {
		t.Errorf("query: %s", got)
	}
	get := `<CR:addressbook-multiget` + xmlns + `><D:prop><CR:address-data/></D:prop><D:href>` + contactsPath + `bob.vcf</D:href></CR:addressbook-multiget>`
	if got := s.ask("REPORT", homePath, get); got.names() != "bob.vcf" || !strings.Contains(got.body, "BEGIN:VCARD") {
		t.Error(got.body)
	}
}

// TestReportsOf: each kind of resource tells the reports that it has, and has them (RFC 3253
// 3.1.5, RFC 4791 2, RFC 6352 3, RFC 6578 3.1).
func TestReportsOf(t *testing.T) {
	s := withObjects(t)
	const all = "acl-principal-prop-set expand-property"
	for path, want := range map[string]string{
		calendarPath:               "sync-collection calendar-query calendar-multiget free-busy-query principal-property-search " + all,
		calendarPath + "event.ics": "calendar-query calendar-multiget " + all,
		contactsPath:               "sync-collection addressbook-query addressbook-multiget " + all,
		contactsPath + "bob.vcf":   "addressbook-query addressbook-multiget " + all,
		people:                     "principal-match principal-property-search principal-search-property-set " + all,
	} {
		told := make(map[string]bool)
		for _, r := range s.prop(path, davxml.D("supported-report-set")).All(davxml.D("supported-report")) {
			told[r.Child(davxml.D("report")).Children[0].Name.Local] = true
		}
		for name := range strings.FieldsSeq(want) {
			if !told[name] {
				t.Errorf("%s does not tell of %s", path, name)
			}
		}
		for name := range s.handler.reports {
			a := s.ask("REPORT", path, `<x:`+name.Local+` xmlns:x="`+name.Space+`"/>`, "Depth: 0")
			if refused := strings.Contains(a.body, "supported-report"); refused == told[name.Local] {
				t.Errorf("%s: %s is told: %v, and refused: %v", path, name, told[name.Local], refused)
			}
		}
	}
}

// TestDescribedZone: a zone that nobody knows by its name counts as its VTIMEZONE describes it,
// with its changes of the clock: of a request (RFC 4791 9.8) and of a calendar (5.2.2).
func TestDescribedZone(t *testing.T) {
	s := newServer(t)
	s.keep("calendar", map[string]string{
		"winter.ics": event("w", "DTSTART:20260115T120000", "DURATION:PT30M"), "summer.ics": event("s", "DTSTART:20260715T120000", "DURATION:PT30M"),
	})
	part := func(kind, start, from, to, month string) string {
		return "BEGIN:" + kind + "\nDTSTART:" + start + "\nTZOFFSETFROM:" + from + "\nTZOFFSETTO:" + to + "\nRRULE:FREQ=YEARLY;BYMONTH=" + month + ";BYDAY=-1SU\nEND:" + kind + "\n"
	}
	mine := "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nBEGIN:VTIMEZONE\nTZID:Mine\n" + part("STANDARD", "19971026T020000", "-0400", "-0500", "10") +
		part("DAYLIGHT", "19970330T020000", "-0500", "-0400", "3") + "END:VTIMEZONE\nEND:VCALENDAR\n"
	at := func(day, hour string) string {
		return calQuery("VEVENT", `<C:time-range start="2026`+day+`T`+hour+`0000Z" end="2026`+day+`T`+hour+`3000Z"/>`, "<D:getetag/>")
	}
	check := func(what string, body func(day, hour string) string) {
		t.Helper()
		if got := s.report(calendarPath, body("0115", "17")).names() + " " + s.report(calendarPath, body("0715", "16")).names(); got != "winter.ics summer.ics" {
			t.Errorf("%s: %s", what, got)
		}
	}
	check("of a request", func(day, hour string) string {
		return strings.Replace(at(day, hour), "</C:filter>", "</C:filter><C:timezone>"+mine+"</C:timezone>", 1)
	})
	s.ask("PROPPATCH", calendarPath, update("<C:calendar-timezone>"+mine+"</C:calendar-timezone>", "")).want(http.StatusMultiStatus)
	check("of the calendar", at)
}
