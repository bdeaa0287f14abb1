package davd

import (
	"strings"
	"testing"

	"facteur/server/davxml"
)

// TestClientReports: the forms in which programs ask, from what their sources and documents
// say; none of them was recorded.
func TestClientReports(t *testing.T) {
	s := withObjects(t)
	event, bobs := calendarPath+"event.ics", contactsPath+"bob.vcf"
	data := davxml.C("calendar-data")
	for _, c := range []struct {
		name, path, depth, body string
		want                    string       // hrefs
		has                     davxml.Name  // that each has
		misses                  *davxml.Name // 404 that each has
	}{
		{"Outlook CalDav Synchronizer, versions", calendarPath, "1", `<?xml version="1.0"?>
                    <C:calendar-query xmlns:C="urn:ietf:params:xml:ns:caldav">
                        <D:prop xmlns:D="DAV:">
                            <D:getetag/>
                        </D:prop>
                        <C:filter>
                            <C:comp-filter name="VCALENDAR">
                                <C:comp-filter name="VEVENT">
                                  <C:time-range start="20260310T000000Z" end="20260311T000000Z"/>
                                </C:comp-filter>
                            </C:comp-filter>
                        </C:filter>
                    </C:calendar-query>
                    `, "event.ics", davxml.D("getetag"), nil},
		{"Outlook CalDav Synchronizer, objects", calendarPath, "1", `<?xml version="1.0"?>
			                    <C:calendar-multiget xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:D="DAV:">
			                        <D:prop>
			                            <D:getetag/>
			                            <D:displayname/>
			                            <C:calendar-data/>
			                        </D:prop>
                                        <D:href>` + event + "</D:href>\r\n<D:href>" + calendarPath + `day.ics</D:href>
                                    </C:calendar-multiget>`, "day.ics event.ics", data, nil},
		{"Outlook CalDav Synchronizer, changes", calendarPath, "0", `<?xml version="1.0" encoding="utf-8" ?>
           <D:sync-collection xmlns:D="DAV:">
             <D:sync-token/>
             <D:sync-level>1</D:sync-level>
             <D:prop>
               <D:getetag/>
             </D:prop>
           </D:sync-collection>
                 `, "alarm.ics day.ics event.ics floating.ics weekly.ics", davxml.D("getetag"), nil},
		{"DAVx5, query", calendarPath, "1", `<?xml version='1.0' encoding='UTF-8' ?><CAL:calendar-query xmlns="DAV:" xmlns:CAL="urn:ietf:params:xml:ns:caldav"><prop><getetag /></prop>` +
			`<CAL:filter><CAL:comp-filter name="VCALENDAR"><CAL:comp-filter name="VEVENT"><CAL:time-range start="20260312T000000Z" /></CAL:comp-filter></CAL:comp-filter></CAL:filter></CAL:calendar-query>`,
			"alarm.ics day.ics weekly.ics", davxml.D("getetag"), nil},
		{"DAVx5, multiget", calendarPath, "", `<?xml version='1.0' encoding='UTF-8' ?><CAL:calendar-multiget xmlns="DAV:" xmlns:CAL="urn:ietf:params:xml:ns:caldav"><prop><getcontenttype /><getetag />` +
			`<CAL:schedule-tag /><CAL:calendar-data content-type="text/calendar" version="2.0" /></prop><href>` + strings.Replace(event, "@", "%40", 1) + `</href></CAL:calendar-multiget>`, "event.ics", data, nil},
		{"DAVx5, contacts", contactsPath, "", `<?xml version='1.0' encoding='UTF-8' ?><CARD:addressbook-multiget xmlns="DAV:" xmlns:CARD="urn:ietf:params:xml:ns:carddav"><prop><getcontenttype /><getetag />` +
			`<CARD:address-data content-type="text/vcard" version="4.0" /></prop><href>` + bobs + `</href></CARD:addressbook-multiget>`, "bob.vcf", davxml.CR("address-data"), nil},
		{"iOS, changes", calendarPath, "1", `<?xml version="1.0" encoding="UTF-8"?>
<A:sync-collection xmlns:A="DAV:">
  <A:sync-token></A:sync-token>
  <A:sync-level>1</A:sync-level>
  <A:prop>
    <A:getcontenttype/>
    <A:getetag/>
  </A:prop>
</A:sync-collection>`, "alarm.ics day.ics event.ics floating.ics weekly.ics", davxml.D("getcontenttype"), nil},
		{"iOS, objects", calendarPath, "1", `<?xml version="1.0" encoding="UTF-8"?>
<B:calendar-multiget xmlns:B="urn:ietf:params:xml:ns:caldav">
  <A:prop xmlns:A="DAV:">
    <A:getetag/>
    <B:calendar-data/>
    <C:updated-by xmlns:C="http://calendarserver.org/ns/"/>
  </A:prop>
  <A:href xmlns:A="DAV:">` + event + `</A:href>
</B:calendar-multiget>`, "event.ics", data, &davxml.Name{Space: davxml.CalendarServer, Local: "updated-by"}},
		{"Thunderbird, changes", calendarPath, "1", `<?xml version="1.0" encoding="UTF-8"?>
<sync-collection xmlns="DAV:"><sync-token/><sync-level>1</sync-level><prop><getcontenttype/><getetag/></prop></sync-collection>`,
			"alarm.ics day.ics event.ics floating.ics weekly.ics", davxml.D("getetag"), nil},
		{"Thunderbird, contacts", contactsPath, "1", `<?xml version="1.0" encoding="UTF-8"?>
<addressbook-multiget xmlns="urn:ietf:params:xml:ns:carddav" xmlns:d="DAV:"><d:prop><d:getetag/><address-data/></d:prop><d:href>` + bobs + `</d:href></addressbook-multiget>`,
			"bob.vcf", davxml.CR("address-data"), nil},
		{"Evolution, by UID", calendarPath, "1", `<?xml version="1.0" encoding="UTF-8"?><C:calendar-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><D:getetag/><C:calendar-data/></D:prop>` +
			`<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:prop-filter name="UID"><C:text-match collation="i;octet">event</C:text-match></C:prop-filter></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>`,
			"event.ics", data, nil},
		{"Evolution, contacts", contactsPath, "1", `<?xml version="1.0" encoding="UTF-8"?><C:addressbook-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav"><D:prop><D:getetag/><C:address-data><C:prop name="VERSION"/><C:prop name="UID"/><C:prop name="EMAIL"/></C:address-data></D:prop>` +
			`<C:filter test="anyof"><C:prop-filter name="FN"><C:text-match collation="i;unicode-casemap" match-type="contains">bo</C:text-match></C:prop-filter><C:prop-filter name="EMAIL"><C:text-match collation="i;unicode-casemap" match-type="contains">bo</C:text-match></C:prop-filter></C:filter></C:addressbook-query>`,
			"bob.vcf", davxml.CR("address-data"), nil},
		{"python caldav, expanded", calendarPath, "1", `<?xml version='1.0' encoding='utf-8'?>
<C:calendar-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><C:calendar-data><C:expand start="20260310T000000Z" end="20260317T000000Z"/></C:calendar-data></D:prop>` +
			`<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:time-range start="20260310T000000Z" end="20260317T000000Z"/></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>`,
			"day.ics event.ics floating.ics weekly.ics", data, nil},
	} {
		var headers []string
		if c.depth != "" {
			headers = append(headers, "Depth: "+c.depth)
		}
		a := s.ask("REPORT", c.path, c.body, append(headers, "Content-Type: text/xml; charset=UTF-8")...)
		if got := a.names(); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
		all, _ := a.responses()
		for href, props := range all {
			if props[c.has].status != 200 || props[c.has].text() == "" {
				t.Errorf("%s: %s has no %s", c.name, href, c.has)
			}
			if c.misses != nil && props[*c.misses].status != 404 {
				t.Errorf("%s: %s has %s", c.name, href, *c.misses)
			}
		}
		// Brief and Prefer leave out what is not there (RFC 8144 2.1).
		brief := s.ask("REPORT", c.path, c.body, append(headers, "Brief: t")...)
		if strings.Contains(brief.body, "404 Not Found") {
			t.Errorf("%s: brief: %s", c.name, brief.body)
		}
	}
}
