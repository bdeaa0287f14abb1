package davd

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"facteur/server/address"
	"facteur/server/attachments"
	"facteur/server/collection"
	"facteur/server/davxml"
	"facteur/server/homes"
)

// series is a meeting each week, of which one is an exception (RFC 8607, "Example Involving
// Recurring Events").
const series = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Example Corp.//CalDAV Server//EN\r\nBEGIN:VTIMEZONE\r\nTZID:America/Montreal\r\n" +
	"BEGIN:STANDARD\r\nDTSTART:20001026T020000\r\nRRULE:FREQ=YEARLY;BYDAY=1SU;BYMONTH=11\r\nTZNAME:EST\r\nTZOFFSETFROM:-0400\r\nTZOFFSETTO:-0500\r\nEND:STANDARD\r\n" +
	"BEGIN:DAYLIGHT\r\nDTSTART:20000404T020000\r\nRRULE:FREQ=YEARLY;BYDAY=2SU;BYMONTH=3\r\nTZNAME:EDT\r\nTZOFFSETFROM:-0500\r\nTZOFFSETTO:-0400\r\nEND:DAYLIGHT\r\nEND:VTIMEZONE\r\n" +
	"BEGIN:VEVENT\r\nUID:20010712T182145Z-123401@example.com\r\nDTSTAMP:20120201T203412Z\r\nDTSTART;TZID=America/Montreal:20120206T100000\r\nDURATION:PT1H\r\n" +
	"RRULE:FREQ=WEEKLY\r\nSUMMARY:Planning Meeting\r\nLAST-MODIFIED:20120201T203412Z\r\nEND:VEVENT\r\n" +
	"BEGIN:VEVENT\r\nUID:20010712T182145Z-123401@example.com\r\nDTSTAMP:20120201T203412Z\r\nRECURRENCE-ID;TZID=America/Montreal:20120213T100000\r\n" +
	"DTSTART;TZID=America/Montreal:20120213T120000\r\nDURATION:PT1H\r\nSUMMARY:Planning Meeting\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"

// attachedTo tells which component has which attachments, by their names: of all instances
// first.
func attachedTo(object string) string {
	var out []string
	for _, part := range strings.Split(unfolded(object), "BEGIN:VEVENT")[1:] {
		id, names := "M", []string{}
		for line := range strings.SplitSeq(part, "\r\n") {
			if strings.HasPrefix(line, "RECURRENCE-ID") {
				id = line[strings.LastIndexByte(line, ':')+1:]
			} else if _, rest, ok := strings.Cut(line, "FILENAME="); ok && strings.HasPrefix(line, "ATTACH") {
				name, _, _ := strings.Cut(rest, ":")
				names = append(names, name)
			}
		}
		out = append(out, id+"="+strings.Join(names, "+"))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// TestManagedInstances is RFC 8607 3.3.2, with its example of a series.
func TestManagedInstances(t *testing.T) {
	s := newAttaching(t)
	const path = calendarPath + "65.ics"
	s.ask("PUT", path, series).want(http.StatusCreated)
	post := func(query string) (id string) {
		t.Helper()
		name := query[strings.LastIndexByte(query, '#')+1:]
		a := s.ask("POST", path+"?action="+strings.TrimSuffix(query, "#"+name), "x", "Content-Disposition: attachment;filename="+name)
		if a.status >= 300 {
			t.Fatalf("%s: %d %s", query, a.status, a.body)
		}
		return a.header.Get("Cal-Managed-ID")
	}
	have := func(want string) {
		t.Helper()
		if got := attachedTo(s.object(path)); got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
	all := post("attachment-add#all")
	have("20120213T100000=all M=all")
	one := post("attachment-add&rid=20120220T100000#one") // as the clock of the meeting shows it
	have("20120213T100000=all 20120220T100000=all+one M=all")
	post("attachment-add&rid=20120227T150000Z,20120213T100000#two") // and in UTC
	have("20120213T100000=all+two 20120220T100000=all+one 20120227T100000=all+two M=all")
	post("attachment-add&rid=M#master")
	have("20120213T100000=all+two 20120220T100000=all+one 20120227T100000=all+two M=all+master")
	s.ask("POST", path+"?action=attachment-add&rid=20120221T100000", "x").condition(http.StatusForbidden, davxml.C("valid-rid"))
	post("attachment-remove&managed-id=" + all + "&rid=M,20120213T100000#")
	have("20120213T100000=two 20120220T100000=all+one 20120227T100000=all+two M=master")
	post("attachment-update&managed-id=" + all + "#new")
	have("20120213T100000=two 20120220T100000=new+one 20120227T100000=new+two M=master")
	post("attachment-remove&managed-id=" + one + "#")
	have("20120213T100000=two 20120220T100000=new 20120227T100000=new+two M=master")
	if object := s.object(path); !strings.Contains(object, "DTSTART;TZID=America/Montreal:20120220T100000\r\n") || !strings.Contains(object, "LAST-MODIFIED:20260501T120000Z\r\n") {
		t.Errorf("%s", object)
	}
	if got := len(s.stored(alice)); got != 3 {
		t.Errorf("%d are kept", got)
	}

	// A day, and an object that has no component of all.
	s.ask("PUT", eventPath, event("days", "DTSTART;VALUE=DATE:20260510", "RRULE:FREQ=DAILY;COUNT=3")).want(http.StatusCreated)
	s.ask("POST", eventPath+"?action=attachment-add&rid=20260511", "x").want(http.StatusCreated)
	s.ask("POST", eventPath+"?action=attachment-add&rid=20260513", "x").condition(http.StatusForbidden, davxml.C("valid-rid"))
	s.ask("PUT", calendarPath+"66.ics", event("only", "DTSTART:20260511T080000Z", "RECURRENCE-ID:20260511T080000Z")).want(http.StatusCreated)
	s.ask("POST", calendarPath+"66.ics?action=attachment-add&rid=20260511T080000Z", "x").want(http.StatusCreated)
	s.ask("POST", calendarPath+"66.ics?action=attachment-add&rid=M", "x").condition(http.StatusForbidden, davxml.C("valid-rid"))
}

// TestManagedByPut is RFC 8607 3.7 to 3.9: what a client writes into an object itself.
func TestManagedByPut(t *testing.T) {
	s := newAttaching(t)
	s.ask("PUT", eventPath, event("1")).want(http.StatusCreated)
	_, at := s.add(eventPath, "a.txt", "octets")
	object := s.ask("GET", eventPath, "").body
	line := object[strings.Index(object, "ATTACH"):strings.Index(object, "END:VEVENT")]
	with := func(uid, line string) string {
		return event(uid, "DTSTART:20260510T080000Z", strings.TrimSuffix(line, "\r\n"))
	}

	// The same attachment in another object; a wrong size is corrected.
	s.ask("PUT", calendarPath+"2.ics", with("2", strings.Replace(unfolded(line), "SIZE=6", "SIZE=7", 1))).want(http.StatusCreated)
	if got := s.object(calendarPath + "2.ics"); !strings.Contains(got, "SIZE=6") || strings.Contains(got, "SIZE=7") || !strings.Contains(got, at) {
		t.Errorf("%s", got)
	}
	// It stays as long as one of them has it.
	s.ask("PUT", eventPath, event("1")).want(http.StatusNoContent)
	s.ask("GET", at, "").want(http.StatusOK)
	s.ask("DELETE", calendarPath+"2.ics", "").want(http.StatusNoContent)
	s.ask("GET", at, "").want(http.StatusNotFound)
	if left := s.stored(alice); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	// The client takes that back.
	s.ask("PUT", calendarPath+"2.ics", with("2", line)).want(http.StatusCreated)
	if got := s.ask("GET", at, "").want(http.StatusOK).body; got != "octets" {
		t.Errorf("%q", got)
	}
	// A whole calendar goes, with what is attached.
	s.ask("MKCALENDAR", homePath+"x/", "").want(http.StatusCreated)
	s.ask("MOVE", calendarPath+"2.ics", "", "Destination: "+homePath+"x/2.ics").want(http.StatusCreated)
	s.ask("GET", at, "").want(http.StatusOK)
	s.ask("DELETE", homePath+"x/", "").want(http.StatusNoContent)
	if left := s.stored(alice); len(left) != 0 {
		t.Errorf("left: %v", left)
	}

	// What another server manages, or nobody here, is a link like others.
	for _, uri := range []string{"https://p01-caldav.icloud.example/attach/1", "https://other.example/dav/zoe@other.example/.attachments/aaaaaaaaaaaaaaaaaaaaaaaaaa/x", "mailto:x@example.org"} {
		s.ask("PUT", eventPath, with("1", "ATTACH;MANAGED-ID=aaaaaaaaaaaaaaaaaaaaaaaaaa;FILENAME=x:"+uri)).want(http.StatusNoContent)
		if got := s.object(eventPath); !strings.Contains(got, "ATTACH;FILENAME=x:"+uri+"\r\n") {
			t.Errorf("%s", got)
		}
	}
	s.ask("PUT", eventPath, with("1", "ATTACH;MANAGED-ID=aaaaaaaaaaaaaaaaaaaaaaaaaa:https://x/dav/alice@example.org/.attachments/aaaaaaaaaaaaaaaaaaaaaaaaaa/x")).
		condition(http.StatusForbidden, davxml.C("valid-managed-id-parameter"))
	// Many in one object.
	s.ask("PUT", eventPath, event("1")).want(http.StatusNoContent)
	var lines []string
	for range 2 {
		s.ask("PUT", calendarPath+"3.ics", event("3")).want(http.StatusCreated)
		for range attachments.MaxPerObject {
			s.add(calendarPath+"3.ics", "n.txt", "n")
		}
		for l := range strings.SplitSeq(s.object(calendarPath+"3.ics"), "\r\n") {
			if strings.HasPrefix(l, "ATTACH") {
				lines = append(lines, l)
			}
		}
		s.ask("DELETE", calendarPath+"3.ics", "").want(http.StatusNoContent)
	}
	s.ask("PUT", eventPath, with("1", strings.Join(lines, "\r\n"))).condition(http.StatusForbidden, davxml.C("max-attachments-per-resource"))
}

// TestManagedRights is RFC 8607 3.12.2: readers of the calendar and attendees see what is
// attached, nobody else; and nobody makes himself one of them.
func TestManagedRights(t *testing.T) {
	s := newAttaching(t)
	const asBob, asCarol, asDave = "user: bob@example.org", "user: carol@example.org", "user: dave@example.net"
	const officePath = "/dav/office@example.org/calendar/m.ics"
	s.ask("PUT", officePath, event("1")).want(http.StatusCreated)
	s.ask("POST", officePath+"?action=attachment-add", "x", asCarol).condition(http.StatusForbidden, davxml.D("need-privileges"))
	_, at := s.add(officePath, "a.txt", "octets", asBob)
	if !strings.HasPrefix(at, "/dav/office@example.org/.attachments/") || len(s.stored(office)) != 1 {
		t.Errorf("%s", at)
	}
	for user, want := range map[string]int{"user: alice@example.org": 200, asBob: 200, asCarol: 200, asDave: 404} {
		s.ask("GET", at, "", user).want(want)
	}
	// In a mount it is the same one.
	if _, at := s.add("/dav/bob@example.org/office@example.org~calendar/m.ics", "b.txt", "b", asBob); !strings.HasPrefix(at, "/dav/office@example.org/") {
		t.Errorf("%s", at)
	}

	// A stranger who knows the URI puts it into an event of his own.
	object := s.ask("GET", officePath, "").body
	s.ask("PUT", "/dav/dave@example.net/calendar/m.ics", object, asDave).condition(http.StatusForbidden, davxml.C("valid-managed-id-parameter"))
	s.ask("PUT", "/dav/dave@example.net/calendar/m.ics", strings.ReplaceAll(object, "MANAGED-ID", "MANA\r\n GED-ID"), asDave).
		condition(http.StatusForbidden, davxml.C("valid-managed-id-parameter"))
	s.ask("GET", at, "", asDave).want(http.StatusNotFound)

	// Who reads it has copies of his own, by PUT, COPY and MOVE.
	s.ask("PUT", "/dav/carol@example.org/calendar/m.ics", object, asCarol).want(http.StatusCreated)
	s.ask("COPY", officePath, "", asBob, "Destination: /dav/bob@example.org/calendar/m.ics").want(http.StatusCreated)
	s.ask("MOVE", officePath, "", "Destination: "+eventPath).want(http.StatusCreated)
	for owner, path := range map[address.Address]string{carol: "/dav/carol@example.org/calendar/m.ics", bob: "/dav/bob@example.org/calendar/m.ics", alice: eventPath} {
		user := "user: " + owner.String()
		got := s.object(path, user)
		if n := strings.Count(got, "/dav/"+owner.String()+"/.attachments/"); n != 2 || len(s.stored(owner)) != 2 {
			t.Errorf("%d: %s", n, got)
		}
		own := got[strings.Index(got, "/dav/"):]
		own = own[:strings.Index(own, "\r\n")]
		if got := s.ask("GET", own, "", user).want(http.StatusOK).body; got != "octets" {
			t.Errorf("%s: %q", own, got)
		}
		s.ask("GET", own, "", asDave).want(http.StatusNotFound)
	}
	if left := s.stored(office); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

// TestManagedFromOutside: what another server publishes makes nobody a reader, whatever it names.
func TestManagedFromOutside(t *testing.T) {
	const asDave, path = "user: dave@example.net", "/dav/dave@example.net/holidays/"
	s := newAttaching(t, func(o *Options) { o.Homes = openHomes(t, "127.0.0.1:1") })
	s.ask("PUT", eventPath, event("1")).want(http.StatusCreated)
	_, at := s.add(eventPath, "a.txt", "octets")
	stolen := s.ask("GET", eventPath, "").body
	s.ask("MKCOL", path, `<D:mkcol xmlns:D="DAV:" xmlns:CS="http://calendarserver.org/ns/"><D:set><D:prop><D:resourcetype><D:collection/><CS:subscribed/></D:resourcetype>`+
		`<CS:source><D:href>http://127.0.0.1:1/x.ics</D:href></CS:source></D:prop></D:set></D:mkcol>`, xmlBody, asDave).want(http.StatusCreated)
	home, err := s.homes.Own(dave)
	if err != nil {
		t.Fatal(err)
	}
	c, err := home.Open("holidays")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Put("1.ics", []byte(stolen), collection.Condition{}); err != nil { // as if it had been fetched
		t.Fatal(err)
	}
	s.ask("GET", path+"1.ics", "", asDave).want(http.StatusOK)
	s.ask("GET", at, "", asDave).want(http.StatusNotFound)
	if got := s.ask("GET", path+"?export", "", asDave).want(http.StatusOK).body; strings.Contains(got, "BINARY") {
		t.Errorf("%s", got)
	}
	s.ask("COPY", path+"1.ics", "", asDave, "Destination: /dav/dave@example.net/calendar/1.ics").condition(http.StatusForbidden, davxml.C("valid-managed-id-parameter"))
	s.ask("GET", at, "", asDave).want(http.StatusNotFound)
	if _, _, err := c.Put("2.ics", []byte(event("2")), collection.Condition{}); err != nil {
		t.Fatal(err)
	}
	s.ask("COPY", path+"2.ics", "", asDave, "Destination: /dav/dave@example.net/calendar/2.ics").want(http.StatusCreated)
}

// TestManagedMeeting: attendees get what is attached, and don't change it (RFC 8607 3.12.2,
// RFC 6638 3.2.2.1).
func TestManagedMeeting(t *testing.T) {
	s := newAttaching(t)
	const asBob, asCarol, bobs = "user: bob@example.org", "user: carol@example.org", "/dav/bob@example.org/calendar/"
	s.ask("PUT", eventPath, invite).want(http.StatusCreated)
	id, at := s.add(eventPath, "plan.pdf", "octets")
	list := s.objects(bobs, "bob@example.org")
	if len(list) != 1 {
		t.Fatalf("%v", list)
	}
	if got := s.object(list[0], asBob); !strings.Contains(got, "MANAGED-ID="+id) || !strings.Contains(got, at) {
		t.Errorf("%s", got)
	}
	s.ask("GET", at, "", asBob).want(http.StatusOK)
	s.ask("GET", at, "", asCarol).want(http.StatusNotFound)
	for _, query := range []string{"attachment-remove&managed-id=", "attachment-update&managed-id="} {
		s.ask("POST", list[0]+"?action="+query+id, "x", asBob).condition(http.StatusForbidden, davxml.C("allowed-attendee-scheduling-object-change"))
	}
	// bob moves it to another calendar of his and answers; nothing is copied.
	s.ask("MKCALENDAR", "/dav/bob@example.org/x/", "", asBob).want(http.StatusCreated)
	s.ask("MOVE", list[0], "", asBob, "Destination: /dav/bob@example.org/x/m.ics").want(http.StatusCreated)
	object := s.ask("GET", "/dav/bob@example.org/x/m.ics", "", asBob).body
	s.ask("PUT", "/dav/bob@example.org/x/m.ics", strings.Replace(object, "PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED", 1), asBob).want(http.StatusNoContent)
	if got := s.object(eventPath); !strings.Contains(got, "MANAGED-ID="+id) || strings.Contains(got, "NEEDS-ACTION") {
		t.Errorf("%s", got)
	}
	if left := s.stored(bob); len(left) != 0 {
		t.Errorf("bob has %v", left)
	}
	// The organizer takes it away.
	s.ask("POST", eventPath+"?action=attachment-remove&managed-id="+id, "").want(http.StatusNoContent)
	if got := s.object("/dav/bob@example.org/x/m.ics", asBob); strings.Contains(got, "ATTACH") {
		t.Errorf("%s", got)
	}
	s.ask("GET", at, "", asBob).want(http.StatusNotFound)
}

// TestManagedElsewhere: who gets a whole calendar has no login later; what is published has no
// attachments (RFC 8607 3.12.7).
func TestManagedElsewhere(t *testing.T) {
	s := newAttaching(t)
	s.ask("PUT", eventPath, event("1")).want(http.StatusCreated)
	s.add(eventPath, "a.txt", "octets")
	s.add(eventPath, "big.bin", strings.Repeat("x", 1<<20+1))
	got := unfolded(s.ask("GET", calendarPath+"?export", "").want(http.StatusOK).body)
	if !strings.Contains(got, "ATTACH;FMTTYPE=text/plain;FILENAME=a.txt;ENCODING=BASE64;VALUE=BINARY:b2N0ZXRz\r\n") || strings.Contains(got, "MANAGED-ID") ||
		!strings.Contains(got, "ATTACH;FMTTYPE=text/plain;SIZE=1048577;FILENAME=big.bin:https://") {
		t.Errorf("%.2000s", got)
	}
	home, err := s.homes.Open(alice, alice)
	if err != nil {
		t.Fatal(err)
	}
	c, err := home.Open("calendar")
	if err != nil {
		t.Fatal(err)
	}
	secret, err := c.Publish()
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	s.handler.Published(w, httptest.NewRequest("GET", "/ics/"+secret+".ics", nil))
	if got := w.Body.String(); strings.Contains(got, "ATTACH") || !strings.Contains(got, "SUMMARY:Meeting") {
		t.Errorf("%s", got)
	}
}

// TestManagedAtOnce: two who attach at the same time both do, but for who asked for a state.
func TestManagedAtOnce(t *testing.T) {
	s := newAttaching(t)
	s.ask("PUT", eventPath, event("1")).want(http.StatusCreated)
	done := make(chan int)
	for range 8 {
		go func() {
			done <- s.ask("POST", eventPath+"?action=attachment-add", "x", asText).status
		}()
	}
	for range 8 {
		if status := <-done; status != http.StatusCreated {
			t.Errorf("status %d", status)
		}
	}
	if n := strings.Count(s.object(eventPath), "MANAGED-ID"); n != 8 || len(s.stored(alice)) != 8 {
		t.Errorf("%d attachments, %d kept", n, len(s.stored(alice)))
	}
	tag := s.ask("GET", eventPath, "").header.Get("ETag")
	s.ask("POST", eventPath+"?action=attachment-add", "x", "If-Match: "+tag).want(http.StatusCreated)
	s.ask("POST", eventPath+"?action=attachment-add", "x", "If-Match: "+tag).want(http.StatusPreconditionFailed)
}

// TestManagedUndeleted: an object that comes back has what was attached.
func TestManagedUndeleted(t *testing.T) {
	s := newAttaching(t)
	s.ask("PUT", eventPath, event("1")).want(http.StatusCreated)
	_, at := s.add(eventPath, "a.txt", "octets")
	object := s.ask("GET", eventPath, "").body
	s.ask("DELETE", eventPath, "").want(http.StatusNoContent)
	s.ask("GET", at, "").want(http.StatusNotFound)
	home, err := s.homes.Own(alice)
	if err != nil {
		t.Fatal(err)
	}
	c, err := home.Open("calendar")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Put("64.ics", []byte(object), collection.Condition{}); err != nil { // as `facteur undelete` does
		t.Fatal(err)
	}
	if got := s.ask("GET", at, "").want(http.StatusOK).body; got != "octets" {
		t.Errorf("%q", got)
	}
	if e, err := c.Entry("64.ics"); err != nil || len(homes.AttachedIn(e.Facts)) != 1 {
		t.Errorf("%+v %v", e, err)
	}
}
