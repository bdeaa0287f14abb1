package davd

import (
	"strings"
	"testing"

	"facteur/server/davxml"
)

// TestClientDiscovery walks from the root to the collections, and asks on the way for what
// clients ask for. The lists are from their documentation and source as it is public; none is
// a recording of a client. What a client can do without may be 404; must has to be there.
func TestClientDiscovery(t *testing.T) {
	d, c, cr, cs, a := davxml.D, davxml.C, davxml.CR, davxml.CS, davxml.A
	s := newServer(t)
	s.ask("PROPPATCH", calendarPath, update("<A:calendar-color>#FF2968FF</A:calendar-color><A:calendar-order>1</A:calendar-order>", "")).want(207)
	s.keep("calendar", map[string]string{"1.ics": event("1")})
	s.keep("contacts", map[string]string{"1.vcf": card("1", "Ann")})
	type names = []davxml.Name
	for _, one := range []struct {
		client, path, depth string
		of                  string // the response that must is about
		must, may           names
	}{
		{"iOS", "/", "0", "/", names{d("current-user-principal"), d("resourcetype")}, names{d("principal-URL")}},
		{"iOS", alicePrincipal, "0", alicePrincipal, names{c("calendar-home-set"), c("calendar-user-address-set"), d("current-user-principal"), d("displayname"),
			cs("email-address-set"), d("principal-collection-set"), d("principal-URL")},
			names{cs("dropbox-home-URL"), cs("notification-URL"), d("resource-id"), d("supported-report-set"), c("schedule-inbox-URL"), c("schedule-outbox-URL")}},
		{"iOS", alicePrincipal, "0", alicePrincipal, names{cr("addressbook-home-set"), d("current-user-principal"), d("displayname"), d("principal-collection-set"), d("principal-URL")},
			names{cr("directory-gateway"), cs("email-address-set"), d("resource-id"), d("supported-report-set")}},
		{"iOS and macOS", homePath, "1", calendarPath, names{a("calendar-color"), a("calendar-order"), d("current-user-privilege-set"), d("displayname"), cs("getctag"), d("owner"),
			d("resource-id"), d("resourcetype"), c("schedule-calendar-transp"), c("supported-calendar-component-set"), d("supported-report-set"), d("sync-token")},
			names{d("add-member"), cs("allowed-sharing-modes"), a("autoprovisioned"), {Space: "http://me.com/_namespace/", Local: "bulk-requests"}, c("calendar-description"),
				c("calendar-free-busy-set"), c("calendar-timezone"), c("default-alarm-vevent-date"), c("default-alarm-vevent-datetime"), cs("invite"), a("language-code"), a("location-code"),
				c("max-image-size"), d("quota-available-bytes"), d("quota-used-bytes"), cs("pre-publish-url"), cs("publish-url"), cs("push-transports"), cs("pushkey"), a("refreshrate"),
				c("schedule-default-calendar-URL"), cs("source"), cs("subscribed-strip-alarms"), c("supported-calendar-component-sets")}},
		{"macOS", homePath, "0", homePath, names{c("supported-calendar-component-sets"), d("current-user-privilege-set"), d("displayname"), d("resourcetype"), d("owner")}, names{cs("getctag"), d("sync-token")}},
		{"iOS Contacts", homePath, "1", contactsPath, names{d("current-user-privilege-set"), d("displayname"), cr("max-resource-size"), d("owner"), d("resource-id"), d("resourcetype"),
			d("supported-report-set"), d("sync-token"), cs("getctag")}, names{d("add-member"), cr("max-image-size"), cs("me-card"), cs("push-transports"), d("quota-used-bytes")}},
		{"DAVx5", "/dav/", "0", "/dav/", names{d("current-user-principal"), d("resourcetype")}, names{cr("addressbook-home-set"), c("calendar-home-set"), d("displayname")}},
		{"DAVx5", alicePrincipal, "0", alicePrincipal, names{cr("addressbook-home-set"), c("calendar-home-set"), d("displayname"), d("group-membership"), d("resourcetype")},
			names{cs("calendar-proxy-read-for"), cs("calendar-proxy-write-for")}},
		{"DAVx5", homePath, "1", calendarPath, names{d("resourcetype"), d("current-user-privilege-set"), d("displayname"), d("owner"), a("calendar-color"), c("supported-calendar-component-set")},
			names{cr("addressbook-description"), c("calendar-description"), c("calendar-timezone"), c("calendar-timezone-id"), cs("source")}},
		{"DAVx5", calendarPath, "0", calendarPath, names{c("max-resource-size"), d("supported-report-set"), cs("getctag"), d("sync-token")}, nil},
		{"DAVx5", contactsPath, "0", contactsPath, names{cr("max-resource-size"), cr("supported-address-data"), d("supported-report-set"), cs("getctag"), d("sync-token")}, nil},
		{"Thunderbird", homePath, "1", calendarPath, names{d("resourcetype"), d("displayname"), d("current-user-privilege-set"), a("calendar-color"), cs("getctag"), d("owner")}, nil},
		{"Thunderbird", calendarPath, "0", calendarPath, names{d("resourcetype"), d("owner"), d("current-user-principal"), d("current-user-privilege-set"), d("supported-report-set"),
			c("supported-calendar-component-set"), cs("getctag")}, nil},
		{"Evolution and GNOME", homePath, "1", calendarPath, names{d("resourcetype"), d("displayname"), d("current-user-privilege-set"), c("supported-calendar-component-set"), a("calendar-color"), a("calendar-order")},
			names{c("calendar-description"), cr("addressbook-description")}},
		{"Evolution and GNOME", contactsPath, "1", contactsPath + "1.vcf", names{d("getetag"), d("resourcetype")}, nil},
		{"KDE", homePath, "1", calendarPath, names{d("displayname"), d("resourcetype"), cs("getctag"), d("current-user-privilege-set"), c("supported-calendar-component-set"), a("calendar-color"), d("sync-token")}, nil},
		{"Outlook CalDav Synchronizer", calendarPath, "0", calendarPath, names{d("resourcetype"), d("supported-report-set"), d("current-user-privilege-set"), d("displayname"), a("calendar-color"), cs("getctag")},
			names{c("calendar-description")}},
		{"Outlook CalDav Synchronizer", calendarPath, "1", calendarPath + "1.ics", names{d("getetag"), d("getcontenttype")}, nil},
		{"vdirsyncer and khard", contactsPath, "1", contactsPath + "1.vcf", names{d("resourcetype"), d("getcontenttype"), d("getetag")}, nil},
		{"tsdav", homePath, "1", calendarPath, names{d("displayname"), a("calendar-color"), cs("getctag"), d("resourcetype"), c("supported-calendar-component-set"), d("sync-token")},
			names{c("calendar-description"), c("calendar-timezone")}},
	} {
		answer := s.ask("PROPFIND", one.path, propfindOf(append(one.must, one.may...)...), "Depth: "+one.depth)
		all, _ := answer.responses()
		for _, name := range one.must {
			if got := all[one.of][name]; got.status != 200 {
				t.Errorf("%s: %s of %s: %d", one.client, name, one.of, got.status)
			}
		}
		for href, props := range all {
			if len(props) != len(namesOnce(append(one.must, one.may...))) {
				t.Errorf("%s: %s has %d properties", one.client, href, len(props))
			}
		}
		if dav := answer.header.Get("DAV"); !strings.Contains(dav, "calendar-access") || !strings.Contains(dav, "addressbook") {
			t.Errorf("%s: DAV: %s", one.client, dav)
		}
	}
}

func namesOnce(list []davxml.Name) map[davxml.Name]bool {
	once := make(map[davxml.Name]bool)
	for _, n := range list {
		once[n] = true
	}
	return once
}

// TestClientWrites does what clients do to make, fill and change a calendar.
func TestClientWrites(t *testing.T) {
	s := newServer(t)
	// macOS makes a calendar with a colour in eight digits and its time zone.
	s.ask("MKCALENDAR", homePath+"7E1B2A30-9C11-4F0E-8A5B-000000000001/", `<?xml version="1.0" encoding="UTF-8"?>
<B:mkcalendar xmlns:B="urn:ietf:params:xml:ns:caldav"><A:set xmlns:A="DAV:"><A:prop><B:supported-calendar-component-set><B:comp name="VEVENT"/></B:supported-calendar-component-set>
<D:calendar-color xmlns:D="http://apple.com/ns/ical/" symbolic-color="blue">#1BADF8FF</D:calendar-color><B:calendar-free-busy-set><YES/></B:calendar-free-busy-set>
<B:calendar-timezone>`+strings.ReplaceAll(zone, "\r\n", "&#13;\n")+`</B:calendar-timezone><D:calendar-order xmlns:D="http://apple.com/ns/ical/">3</D:calendar-order>
<A:displayname>Travail</A:displayname></A:prop></A:set></B:mkcalendar>`, "Content-Type: text/xml").want(201)
	made := homePath + "7E1B2A30-9C11-4F0E-8A5B-000000000001/"
	if got := s.prop(made, davxml.A("calendar-color")); got.text() != "#1BADF8FF" {
		t.Errorf("%q", got.text())
	}
	// iOS: PUT of a new object, its ETag from the answer, then a change.
	tag := s.ask("PUT", made+"A.ics", event("A"), "If-None-Match: *", "Content-Type: text/calendar").want(201).header.Get("ETag")
	tag = s.ask("PUT", made+"A.ics", event("A", "DTSTART:20260901T000000Z"), "If-Match: "+tag, "Content-Type: text/calendar").want(204).header.Get("ETag")
	// CalDav Synchronizer asks for the ETag when it has doubts.
	if got := s.prop(made+"A.ics", davxml.D("getetag")); got.text() != tag {
		t.Errorf("%s is not %s", got.text(), tag)
	}
	// The state of the collection is another after each change, and only then.
	before := s.prop(made, davxml.CS("getctag")).text()
	if s.prop(made, davxml.CS("getctag")).text() != before {
		t.Error("the tag changes by itself")
	}
	s.ask("DELETE", made+"A.ics", "", "If-Match: "+tag).want(204)
	if s.prop(made, davxml.CS("getctag")).text() == before {
		t.Error("the tag stays after a removal")
	}
	// macOS renames and recolours, iOS sets whose card is one's own.
	s.ask("PROPPATCH", made, update("<D:displayname>Work</D:displayname><A:calendar-order>1</A:calendar-order>", "")).want(207)
	all, _ := s.ask("PROPPATCH", contactsPath, `<propertyupdate xmlns="DAV:"><set><prop><me-card xmlns="http://calendarserver.org/ns/"><href xmlns="DAV:">`+contactsPath+
		`me.vcf</href></me-card></prop></set></propertyupdate>`).responses()
	if all[contactsPath][davxml.CS("me-card")].status != 200 || s.prop(contactsPath, davxml.CS("me-card")).text() != "href("+contactsPath+"me.vcf)" {
		t.Errorf("me-card: %v", all)
	}
}
