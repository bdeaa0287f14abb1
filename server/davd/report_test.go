package davd

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"facteur/server/davxml"
)

// names returns the last segments of the hrefs in an answer, sorted.
func (a *answer) names() string {
	a.t.Helper()
	_, order := a.responses()
	var list []string
	for _, href := range order {
		list = append(list, href[strings.LastIndexByte(strings.TrimSuffix(href, "/"), '/')+1:])
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

// statuses returns the status of each response, by href; 0: it has properties.
func (a *answer) statuses() map[string]int {
	a.t.Helper()
	a.want(http.StatusMultiStatus)
	out := make(map[string]int)
	for _, r := range a.xml().All(nResponse) {
		code := 0
		if s := r.Child(nStatus); s != nil {
			code, _ = strconv.Atoi(strings.Fields(s.Text)[1])
		}
		out[r.Child(nHref).Text] = code
	}
	return out
}

// report sends a REPORT with Depth 1.
func (s *server) report(path, body string, headers ...string) *answer {
	s.t.Helper()
	if !slices.ContainsFunc(headers, func(h string) bool { return strings.HasPrefix(h, "Depth: ") }) {
		headers = append(headers, "Depth: 1")
	}
	return s.ask("REPORT", path, body, headers...)
}

const xmlns = ` xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:CR="urn:ietf:params:xml:ns:carddav" xmlns:CS="http://calendarserver.org/ns/"`

// calQuery is a calendar-query; inside is what the comp-filter of a component has.
func calQuery(component, inside, props string) string {
	return `<C:calendar-query` + xmlns + `><D:prop>` + props + `</D:prop><C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="` + component + `">` +
		inside + `</C:comp-filter></C:comp-filter></C:filter></C:calendar-query>`
}

func withObjects(t *testing.T) *server {
	s := newScheduling(t)
	kept := make(map[string]string)
	for name, text := range objects() {
		if !strings.Contains(text, "VTODO") {
			kept[name+".ics"] = text
		}
	}
	s.keep("calendar", kept)
	people := make(map[string]string)
	for name, text := range cards() {
		people[name+".vcf"] = text
	}
	s.keep("contacts", people)
	return s
}

func TestReportRefused(t *testing.T) {
	s := withObjects(t)
	s.report(calendarPath, "").want(http.StatusBadRequest)
	s.report(calendarPath, "<x").want(http.StatusBadRequest)
	s.report(calendarPath, `<x/>`).condition(http.StatusForbidden, davxml.D("supported-report"))
	s.report(contactsPath, calQuery("VEVENT", "", "")).condition(http.StatusForbidden, davxml.D("supported-report"))
	s.report(calendarPath+"none.ics", calQuery("VEVENT", "", "")).want(http.StatusNotFound)
	s.report(calendarPath, calQuery("VEVENT", "", ""), "Depth: 7").want(http.StatusBadRequest)
	s.report(calendarPath, calQuery("VEVENT", "", ""), "user: bob@example.org").want(http.StatusNotFound)
	s.report(calendarPath, `<C:calendar-query`+xmlns+`><D:prop/></C:calendar-query>`).condition(http.StatusForbidden, davxml.C("valid-filter"))
	s.report(contactsPath, `<CR:addressbook-query`+xmlns+`><D:prop/></CR:addressbook-query>`).condition(http.StatusForbidden, davxml.CR("valid-filter"))
	s.report(calendarPath, calQuery("VEVENT", "", `<C:calendar-data version="1.0"/>`)).condition(http.StatusForbidden, davxml.C("supported-calendar-data"))
	s.report(calendarPath, `<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>`).condition(http.StatusForbidden, davxml.D("no-external-entities"))
	a := s.report(calendarPath, calQuery("VEVENT", `<C:prop-filter name="SUMMARY"><C:time-range start="20260101T000000Z"/></C:prop-filter>`, ""))
	a.condition(http.StatusForbidden, davxml.C("supported-filter"))
	if f := a.xml().Child(davxml.C("supported-filter")).Child(davxml.C("prop-filter")); f == nil || f.Attr("name") != "SUMMARY" {
		t.Errorf("the filter is not named: %s", a.body)
	}
}

func TestCalendarQuery(t *testing.T) {
	s := withObjects(t)
	march := `<C:time-range start="20260310T000000Z" end="20260312T000000Z"/>`
	for _, c := range []struct{ name, body, depth, want string }{
		{"events", calQuery("VEVENT", "", "<D:getetag/>"), "1", "alarm.ics day.ics event.ics floating.ics weekly.ics"},
		{"two days", calQuery("VEVENT", march, "<D:getetag/>"), "1", "event.ics floating.ics"},
		{"infinity", calQuery("VEVENT", march, "<D:getetag/>"), "infinity", "event.ics floating.ics"},
		// RFC 3253 3.6: Depth 0 is the collection alone.
		{"the collection", calQuery("VEVENT", march, "<D:getetag/>"), "0", ""},
		{"tasks", calQuery("VTODO", "", "<D:getetag/>"), "1", ""},
		// RFC 4791 9.8: what floats is in the zone of the request.
		{"a zone by name", strings.Replace(calQuery("VEVENT", march, ""), "</C:filter>", "</C:filter><C:timezone-id>America/New_York</C:timezone-id>", 1), "1", "event.ics"},
		{"a zone", strings.Replace(calQuery("VEVENT", march, ""), "</C:filter>", "</C:filter><C:timezone>"+
			"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nBEGIN:VTIMEZONE\nTZID:Mine\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:-0500\nTZOFFSETTO:-0500\nEND:STANDARD\nEND:VTIMEZONE\nEND:VCALENDAR\n</C:timezone>", 1), "1", "event.ics"},
	} {
		if got := s.report(calendarPath, c.body, "Depth: "+c.depth).names(); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
	if got := s.report(homePath, calQuery("VEVENT", march, "<D:getetag/>"), "Depth: infinity").names(); got != "event.ics floating.ics" {
		t.Errorf("in the home: %s", got)
	}
	if got := s.report(homePath, calQuery("VEVENT", march, "<D:getetag/>")).names(); got != "" {
		t.Errorf("in the home with Depth 1: %s", got)
	}
	if got := s.report(calendarPath+"event.ics", calQuery("VEVENT", march, "<D:getetag/>"), "Depth: 0").names(); got != "event.ics" {
		t.Errorf("of one object: %s", got)
	}
	s.report(calendarPath, strings.Replace(calQuery("VEVENT", march, ""), "</C:filter>", "</C:filter><C:timezone-id>Mars/Olympus</C:timezone-id>", 1)).
		condition(http.StatusForbidden, davxml.C("valid-timezone"))
	s.report(calendarPath, strings.Replace(calQuery("VEVENT", march, ""), "</C:filter>", "</C:filter><C:timezone>x</C:timezone>", 1)).
		condition(http.StatusForbidden, davxml.C("valid-calendar-data"))
}

// TestCalendarQueryZone: the zone of the calendar counts where the request names none.
func TestCalendarQueryZone(t *testing.T) {
	s := withObjects(t)
	s.ask("PROPPATCH", calendarPath, `<D:propertyupdate`+xmlns+`><D:set><D:prop><C:calendar-timezone-id>Asia/Tokyo</C:calendar-timezone-id></D:prop></D:set></D:propertyupdate>`).want(http.StatusMultiStatus)
	at := calQuery("VEVENT", `<C:time-range start="20260311T140000Z" end="20260311T143000Z"/>`, "<D:getetag/>") // 23:00 in Tokyo
	if got := s.report(calendarPath, at).names(); got != "floating.ics" {
		t.Errorf("got %s", got)
	}
}

func TestCalendarQueryData(t *testing.T) {
	s := withObjects(t)
	s.keep("calendar", map[string]string{"zone.ics": strings.Replace(event("zone", "DTSTART;TZID=Europe/Paris:20260601T100000", "SUMMARY:x"), "BEGIN:VEVENT",
		"BEGIN:VTIMEZONE\r\nTZID:Europe/Paris\r\nBEGIN:STANDARD\r\nDTSTART:19701025T030000\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT", 1)})
	data := func(a *answer, name string) string {
		all, _ := a.responses()
		return all[calendarPath+name][davxml.C("calendar-data")].text()
	}
	kept := s.report(calendarPath, calQuery("VEVENT", "", "<D:getetag/><C:calendar-data/>"))
	if got := data(kept, "event.ics"); got != objects()["event"] {
		t.Errorf("the octets are %q", got)
	}
	all, _ := kept.responses()
	etag := s.prop(calendarPath+"event.ics", davxml.D("getetag")).text()
	if got := all[calendarPath+"event.ics"][davxml.D("getetag")].text(); got != etag {
		t.Errorf("etag %s, want %s", got, etag)
	}
	expanded := s.report(calendarPath, calQuery("VEVENT", `<C:time-range start="20260101T000000Z" end="20260401T000000Z"/>`,
		`<C:calendar-data><C:expand start="20260301T000000Z" end="20260317T000000Z"/></C:calendar-data>`))
	if got := data(expanded, "weekly.ics"); strings.Count(got, "BEGIN:VEVENT") != 2 || strings.Contains(got, "RRULE") || !strings.Contains(got, "DTSTART:20260302T080000Z") {
		t.Errorf("expanded: %s", got)
	}
	if got := data(expanded, "floating.ics"); !strings.Contains(got, "DTSTART:20260311T230000\r\n") {
		t.Errorf("floating, expanded: %s", got)
	}
	part := s.report(calendarPath, calQuery("VEVENT", "", `<C:calendar-data><C:comp name="VCALENDAR"><C:comp name="VEVENT"><C:prop name="SUMMARY"/></C:comp></C:comp></C:calendar-data>`))
	if got := data(part, "event.ics"); got != "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:Été à Paris\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n" {
		t.Errorf("in part: %s", got)
	}
	if got := data(kept, "zone.ics"); !strings.Contains(got, "VTIMEZONE") {
		t.Errorf("with zones: %s", got)
	}
	noZones := s.report(calendarPath, calQuery("VEVENT", "", "<C:calendar-data/>"), "CalDAV-Timezones: F")
	if got := data(noZones, "zone.ics"); strings.Contains(got, "VTIMEZONE") || !strings.Contains(got, "TZID=Europe/Paris:20260601T100000") {
		t.Errorf("without zones: %s", got)
	}
}

// TestExpandBound: an object that has more instances than fit is told with 507, the others
// come.
func TestExpandBound(t *testing.T) {
	s := newServer(t)
	s.keep("calendar", map[string]string{"busy.ics": event("busy", "DTSTART:20260101T000000Z", "RRULE:FREQ=MINUTELY"), "one.ics": event("one")})
	a := s.report(calendarPath, calQuery("VEVENT", "", `<C:calendar-data><C:expand start="20260101T000000Z" end="20270101T000000Z"/></C:calendar-data>`))
	got := a.statuses()
	if got[calendarPath+"busy.ics"] != http.StatusInsufficientStorage || got[calendarPath+"one.ics"] != 0 || len(got) != 2 {
		t.Errorf("statuses: %v", got)
	}
}

func TestCalendarMultiget(t *testing.T) {
	s := withObjects(t)
	s.keep("calendar", map[string]string{"a b ü.ics": event("odd"), "100%.ics": event("percent")})
	host := strings.TrimPrefix(s.url, "http://")
	hrefs := []string{
		calendarPath + "event.ics",
		"http://" + host + calendarPath + "day.ics",
		"/dav/alice%40example.org/calendar/weekly%2Eics",
		calendarPath + "a%20b%20%C3%BC.ics",
		calendarPath + "a b ü.ics",
		calendarPath + "100%25.ics",
		" \n" + calendarPath + "alarm.ics\n ",
		calendarPath + "none.ics",
		tasksPath + "event.ics",
		contactsPath + "bob.vcf",
		"http://elsewhere.example" + calendarPath + "event.ics",
		"/dav/bob@example.org/calendar/x.ics",
		calendarPath + "../calendar/event.ics",
		calendarPath, "", "relative.ics", "/", "%zz",
	}
	var body strings.Builder
	body.WriteString(`<C:calendar-multiget` + xmlns + `><D:prop><D:getetag/><C:calendar-data/></D:prop>`)
	for _, h := range hrefs {
		body.WriteString("<D:href>" + h + "</D:href>")
	}
	body.WriteString(`</C:calendar-multiget>`)
	a := s.ask("REPORT", calendarPath, body.String())
	a.want(http.StatusMultiStatus)
	list := a.xml().All(nResponse)
	if len(list) != len(hrefs) {
		t.Fatalf("%d responses for %d hrefs\n%s", len(list), len(hrefs), a.body)
	}
	for i, r := range list {
		status := r.Child(nStatus)
		switch {
		case i < 7 && (status != nil || r.Child(nPropstat).Child(nProp).Child(davxml.C("calendar-data")) == nil):
			t.Errorf("%q: no data: %s", hrefs[i], r.Raw())
		case i >= 7 && (status == nil || !strings.Contains(status.Text, "404")):
			t.Errorf("%q: not 404: %s", hrefs[i], r.Raw())
		case i >= 7 && r.Child(nHref).Text != hrefs[i]:
			t.Errorf("%q: told as %q", hrefs[i], r.Child(nHref).Text)
		}
	}
	if got := list[3].Child(nHref).Text; got != calendarPath+"a%20b%20%C3%BC.ics" {
		t.Errorf("the href is %s", got)
	}
	one := `<C:calendar-multiget` + xmlns + `><D:prop><D:getetag/></D:prop><D:href>` + calendarPath + `event.ics</D:href><D:href>` + calendarPath + `day.ics</D:href></C:calendar-multiget>`
	if got := s.ask("REPORT", homePath, one).statuses(); got[calendarPath+"event.ics"] != 0 || got[calendarPath+"day.ics"] != 0 {
		t.Errorf("of the home: %v", got)
	}
	// RFC 4791 7.9: of an object, only its own href counts.
	if got := s.ask("REPORT", calendarPath+"event.ics", one).statuses(); got[calendarPath+"event.ics"] != 0 || got[calendarPath+"day.ics"] != 404 {
		t.Errorf("of an object: %v", got)
	}
	s.ask("REPORT", calendarPath, `<C:calendar-multiget`+xmlns+`><D:prop/></C:calendar-multiget>`).want(http.StatusBadRequest)
	none := `<C:calendar-multiget` + xmlns + `><D:href>` + calendarPath + `event.ics</D:href></C:calendar-multiget>`
	if got := s.ask("REPORT", calendarPath, none).statuses(); got[calendarPath+"event.ics"] != http.StatusOK {
		t.Errorf("without properties: %v", got)
	}
}

func TestCardReports(t *testing.T) {
	s := withObjects(t)
	query := func(filter, more string) string {
		return `<CR:addressbook-query` + xmlns + `><D:prop><D:getetag/><CR:address-data/></D:prop>` + filter + more + `</CR:addressbook-query>`
	}
	name := `<CR:filter><CR:prop-filter name="FN"><CR:text-match>ZO</CR:text-match></CR:prop-filter></CR:filter>`
	a := s.report(contactsPath, query(name, ""))
	all, order := a.responses()
	if len(order) != 1 || all[contactsPath+"zoe.vcf"][davxml.CR("address-data")].text() != cards()["zoe"] {
		t.Errorf("got %s", a.body)
	}
	if got := s.report(contactsPath, query(`<CR:filter/>`, "")).names(); got != "bob.vcf group.vcf long.vcf zoe.vcf" {
		t.Errorf("all: %s", got)
	}
	// RFC 6352 8.6.2: 507 for the request's own href says that there are more.
	limited := s.report(contactsPath, query(`<CR:filter/>`, `<CR:limit><CR:nresults>2</CR:nresults></CR:limit>`)).statuses()
	if len(limited) != 3 || limited[contactsPath] != http.StatusInsufficientStorage {
		t.Errorf("limited: %v", limited)
	}
	if exact := s.report(contactsPath, query(`<CR:filter/>`, `<CR:limit><CR:nresults>4</CR:nresults></CR:limit>`)).statuses(); len(exact) != 4 {
		t.Errorf("a limit that is just enough: %v", exact)
	}
	for _, n := range []string{"0", "x", "-1", ""} {
		s.report(contactsPath, query(`<CR:filter/>`, `<CR:limit><CR:nresults>`+n+`</CR:nresults></CR:limit>`)).want(http.StatusBadRequest)
	}
	get := `<CR:addressbook-multiget` + xmlns + `><D:prop><D:getetag/><CR:address-data content-type="text/vcard" version="4.0"/></D:prop><D:href>` +
		contactsPath + `bob.vcf</D:href><D:href>` + contactsPath + `none.vcf</D:href></CR:addressbook-multiget>`
	a = s.ask("REPORT", contactsPath, get)
	all, _ = a.responses()
	if got := all[contactsPath+"bob.vcf"][davxml.CR("address-data")].text(); !strings.Contains(got, "VERSION:4.0\r\n") {
		t.Errorf("4.0: %s", got)
	}
	if !strings.Contains(a.body, `<CR:address-data content-type="text/vcard" version="4.0">`) { // else it would mean 3.0
		t.Errorf("4.0: %s", a.body)
	}
	if got := a.statuses(); got[contactsPath+"none.vcf"] != 404 {
		t.Errorf("statuses: %v", got)
	}
}

func TestFreeBusy(t *testing.T) {
	s := newScheduling(t)
	s.keep("calendar", map[string]string{
		"a.ics": event("a", "DTSTART:20260310T100000Z", "DTEND:20260310T110000Z"),
		"b.ics": event("b", "DTSTART:20260310T103000Z", "DTEND:20260310T120000Z", "STATUS:TENTATIVE"),
		"c.ics": event("c", "DTSTART:20260310T140000Z", "DTEND:20260310T150000Z", "TRANSP:TRANSPARENT"),
		"d.ics": event("d", "DTSTART:20260303T080000Z", "DTEND:20260303T090000Z", "RRULE:FREQ=WEEKLY"),
	})
	body := `<C:free-busy-query` + xmlns + `><C:time-range start="20260310T000000Z" end="20260311T000000Z"/></C:free-busy-query>`
	want := "FREEBUSY;FBTYPE=BUSY:20260310T080000Z/20260310T090000Z\r\n" +
		"FREEBUSY;FBTYPE=BUSY:20260310T100000Z/20260310T110000Z\r\n" +
		"FREEBUSY;FBTYPE=BUSY-TENTATIVE:20260310T110000Z/20260310T120000Z\r\n"
	for _, path := range []string{calendarPath, homePath} {
		a := s.report(path, body).want(http.StatusOK)
		if !strings.Contains(a.body, want) || !strings.HasPrefix(a.header.Get("Content-Type"), "text/calendar") {
			t.Errorf("%s: got %s", path, a.body)
		}
	}
	s.ask("PROPPATCH", calendarPath, `<D:propertyupdate`+xmlns+`><D:set><D:prop><C:schedule-calendar-transp><C:transparent/></C:schedule-calendar-transp></D:prop></D:set></D:propertyupdate>`).want(http.StatusMultiStatus)
	if a := s.report(homePath, body).want(http.StatusOK); strings.Contains(a.body, "FREEBUSY;") {
		t.Errorf("a transparent calendar counts: %s", a.body)
	}
	s.report(calendarPath, `<C:free-busy-query`+xmlns+`/>`).want(http.StatusBadRequest)
	s.report(calendarPath, `<C:free-busy-query`+xmlns+`><C:time-range start="20260310T000000Z"/></C:free-busy-query>`).condition(http.StatusForbidden, davxml.C("valid-filter"))
	s.report(calendarPath, body, "user: bob@example.org").want(http.StatusNotFound)
}

// TestFreeBusyAvailability: hours at which somebody can be met count, those in a calendar (RFC 7953 7.2.2) and of a
// home also those of the inbox (7.2.4); and the answer of a home is that of the outbox.
func TestFreeBusyAvailability(t *testing.T) {
	s := newScheduling(t)
	const hoursPath = "/dav/alice@example.org/all/" // that of a new account keeps events alone
	s.ask("MKCALENDAR", hoursPath, "").want(http.StatusCreated)
	hours := func(uid, start, end string) string {
		return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VAVAILABILITY\r\nUID:" + uid + "\r\nDTSTAMP:20260101T000000Z\r\nPRIORITY:" + uid + "\r\nDTSTART:20260310T000000Z\r\nDTEND:20260311T000000Z\r\n" +
			"BEGIN:AVAILABLE\r\nUID:" + uid + "a\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260310T" + start + "\r\nDTEND:20260310T" + end + "\r\nEND:AVAILABLE\r\nEND:VAVAILABILITY\r\nEND:VCALENDAR\r\n"
	}
	declined := event("d", "DTSTART:20260310T140000Z", "DTEND:20260310T150000Z", "ORGANIZER:mailto:x@example.com", "ATTENDEE;PARTSTAT=DECLINED:mailto:alice@example.org")
	for name, object := range map[string]string{"hours": hours("2", "090000Z", "170000Z"), "e": event("e", "DTSTART:20260310T100000Z", "DTEND:20260310T110000Z"), "d": declined} {
		s.ask("PUT", hoursPath+name+".ics", object).want(http.StatusCreated)
	}
	busy := func(path string) string {
		t.Helper()
		a := s.report(path, `<C:free-busy-query`+xmlns+`><C:time-range start="20260310T000000Z" end="20260311T000000Z"/></C:free-busy-query>`).want(http.StatusOK)
		var lines []string
		for line := range strings.SplitSeq(a.body, "\r\n") {
			if rest, ok := strings.CutPrefix(line, "FREEBUSY;FBTYPE="); ok {
				lines = append(lines, strings.NewReplacer("20260310T", "", "20260311T", "", "0000Z", "").Replace(rest))
			}
		}
		return strings.Join(lines, " ")
	}
	want := "BUSY-UNAVAILABLE:00/09 BUSY:10/11 BUSY-UNAVAILABLE:17/00"
	if got := busy(hoursPath); got != want {
		t.Errorf("of a calendar: %s", got)
	}
	if got := busy(homePath); got != want {
		t.Errorf("of a home: %s", got)
	}
	// What floats does so in the zone of the calendar: 08:00 there is 23:00 of the day before.
	s.ask("PUT", hoursPath+"hours.ics", hours("2", "080000", "230000")).want(http.StatusNoContent)
	s.ask("PROPPATCH", hoursPath, update("<C:calendar-timezone-id>Asia/Tokyo</C:calendar-timezone-id>", "")).want(http.StatusMultiStatus)
	if got := busy(hoursPath); got != "BUSY:10/11 BUSY-UNAVAILABLE:14/00" {
		t.Errorf("floating: %s", got)
	}
	// Of the inbox is the higher priority.
	s.ask("PROPPATCH", "/dav/alice@example.org/inbox/", update("<C:calendar-availability>"+hours("1", "120000Z", "130000Z")+"</C:calendar-availability>", "")).want(http.StatusMultiStatus)
	if got := busy(homePath); got != "BUSY-UNAVAILABLE:00/12 BUSY-UNAVAILABLE:13/00" {
		t.Errorf("with the inbox: %s", got)
	}
	if got := busy(hoursPath); got != "BUSY:10/11 BUSY-UNAVAILABLE:14/00" {
		t.Errorf("of a calendar there is no inbox: %s", got)
	}
	question := "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nMETHOD:REQUEST\r\nBEGIN:VFREEBUSY\r\nUID:q\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260310T000000Z\r\nDTEND:20260311T000000Z\r\n" +
		"ORGANIZER:mailto:alice@example.org\r\nATTENDEE:mailto:alice@example.org\r\nEND:VFREEBUSY\r\nEND:VCALENDAR\r\n"
	if a := s.ask("POST", "/dav/alice@example.org/outbox/", question, "Content-Type: text/calendar").want(http.StatusOK); strings.Count(a.body, "BUSY-UNAVAILABLE") != 2 || strings.Contains(a.body, "FBTYPE=BUSY:") {
		t.Errorf("the outbox: %s", a.body)
	}
	// What repeats too often to be told in full: of hours, those later are not free, and of events, the rest of the time is taken.
	s.ask("PUT", hoursPath+"hours.ics", strings.Replace(hours("2", "090000Z", "090001Z"), "END:AVAILABLE", "RRULE:FREQ=SECONDLY\r\nEND:AVAILABLE", 1)).want(http.StatusNoContent)
	all := `<C:free-busy-query` + xmlns + `><C:time-range start="20260310T000000Z" end="20260311T000000Z"/></C:free-busy-query>`
	if a := s.report(hoursPath, all).want(http.StatusOK); !strings.Contains(a.body, "/20260311T000000Z") {
		t.Errorf("dense hours: %s", a.body)
	}
	s.ask("DELETE", hoursPath+"hours.ics", "").want(http.StatusNoContent)
	s.ask("PUT", hoursPath+"s.ics", event("s", "DTSTART:20260309T000000Z", "DURATION:PT1S", "RRULE:FREQ=SECONDLY")).want(http.StatusCreated)
	if a := s.report(hoursPath, all).want(http.StatusOK); !strings.Contains(a.body, "FBTYPE=BUSY:20260310T000000Z/20260311T000000Z") {
		t.Errorf("a dense event: %s", a.body)
	}
}

func syncBody(token, more string) string {
	return `<D:sync-collection` + xmlns + `><D:sync-token>` + token + `</D:sync-token><D:sync-level>1</D:sync-level>` + more + `<D:prop><D:getetag/></D:prop></D:sync-collection>`
}

func TestSyncCollection(t *testing.T) {
	s := newServer(t)
	token := func(a *answer) string { return a.xml().Child(davxml.D("sync-token")).Text }
	empty := s.ask("REPORT", calendarPath, syncBody("", ""), "Depth: 0")
	if got := empty.names(); got != "" || !strings.Contains(token(empty), ":") {
		t.Fatalf("empty: %s, %s", got, empty.body)
	}
	if got := s.prop(calendarPath, davxml.D("sync-token")).text(); got != token(empty) {
		t.Errorf("the property is %s, the report says %s", got, token(empty))
	}
	s.keep("calendar", map[string]string{"a.ics": event("a"), "b.ics": event("b")})
	first := s.ask("REPORT", calendarPath, syncBody(token(empty), ""))
	if got := first.names(); got != "a.ics b.ics" {
		t.Errorf("first: %s", got)
	}
	if got := s.ask("REPORT", calendarPath, syncBody(token(first), ""), "Depth: 1").names(); got != "" { // as drafts of RFC 6578 had it
		t.Errorf("nothing new: %s", got)
	}
	s.ask("DELETE", calendarPath+"a.ics", "").want(http.StatusNoContent)
	s.keep("calendar", map[string]string{"c c.ics": event("c")})
	second := s.ask("REPORT", calendarPath, strings.Replace(syncBody(token(first), ""), ">1<", ">infinite<", 1), "Depth: 0")
	if got := second.statuses(); len(got) != 2 || got[calendarPath+"a.ics"] != 404 || got[calendarPath+"c%20c.ics"] != 0 {
		t.Errorf("second: %v", got)
	}
	if got := s.ask("REPORT", calendarPath, syncBody("", "")).names(); got != "b.ics c%20c.ics" {
		t.Errorf("from the beginning: %s", got)
	}
	s.ask("REPORT", calendarPath, syncBody(token(first), ""), "Depth: infinity").want(http.StatusBadRequest)
	s.ask("REPORT", calendarPath, strings.Replace(syncBody("", ""), ">1<", ">2<", 1)).want(http.StatusBadRequest)
	s.ask("REPORT", calendarPath, `<D:sync-collection`+xmlns+`><D:prop/></D:sync-collection>`).want(http.StatusBadRequest)
	s.ask("REPORT", homePath, syncBody("", "")).condition(http.StatusForbidden, davxml.D("supported-report"))
	for _, bad := range []string{"x", "data:,", "data:,x-1", token(first) + "0", "http://example.org/1", strings.Replace(token(first), "data:,", "data:,0", 1)} {
		s.ask("REPORT", calendarPath, syncBody(bad, "")).condition(http.StatusForbidden, davxml.D("valid-sync-token"))
	}
}

// TestSyncTruncated: with a limit, each answer says that there is more until there is not (RFC
// 6578 3.6), and nothing comes twice.
func TestSyncTruncated(t *testing.T) {
	s := newServer(t)
	objects := make(map[string]string)
	for i := range 5 {
		uid := strconv.Itoa(i)
		objects[uid+".ics"] = event(uid)
	}
	s.keep("calendar", objects)
	limit := `<D:limit><D:nresults>2</D:nresults></D:limit>`
	token, seen := "", make(map[string]bool)
	for round := range 3 {
		a := s.ask("REPORT", calendarPath, syncBody(token, limit))
		statuses := a.statuses()
		more := statuses[calendarPath] == http.StatusInsufficientStorage
		if more != (round < 2) {
			t.Errorf("round %d: more: %v", round, more)
		}
		if more && a.xml().Child(nResponse) == nil {
			t.Errorf("round %d: %s", round, a.body)
		}
		for href := range statuses {
			if href != calendarPath {
				if seen[href] {
					t.Errorf("%s comes twice", href)
				}
				seen[href] = true
			}
		}
		token = a.xml().Child(davxml.D("sync-token")).Text
	}
	if len(seen) != 5 {
		t.Errorf("%d of 5 came", len(seen))
	}
	if got := s.ask("REPORT", calendarPath, syncBody(token, limit)).names(); got != "" {
		t.Errorf("at last: %s", got)
	}
}

// TestReportBounds: an answer that is too much for the server is cut off, one that is too much
// for the client says so.
func TestReportBounds(t *testing.T) {
	s := newServer(t)
	room := func(m matches) (cut bool, body string) {
		var b strings.Builder
		r := &request{Handler: s.handler, Request: httptest.NewRequest("REPORT", calendarPath, nil)}
		m.top, m.multistatus = &node{href: calendarPath}, &multistatus{r: r, Writer: davxml.NewWriter(&b)}
		m.Begin(davxml.D("multistatus"))
		defer func() { cut, body = recover() == http.ErrAbortHandler, b.String() }()
		for range 2 { // asking changes nothing
			if m.room() != (m.left > 0) {
				t.Errorf("room for %d", m.left)
			}
		}
		m.finish()
		return
	}
	if cut, _ := room(matches{left: 1}); cut {
		t.Error("cut off without a reason")
	}
	if cut, body := room(matches{left: 0}); cut || strings.Count(body, "507") != 1 {
		t.Errorf("a client's limit: cut off: %v\n%s", cut, body)
	}
	if cut, body := room(matches{left: 1, spent: defaultMaxLook + 1}); !cut || strings.Contains(body, "</D:multistatus>") {
		t.Errorf("too slow: cut off: %v\n%s", cut, body)
	}
}
