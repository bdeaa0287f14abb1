package davd

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"facteur/server/auth"
	"facteur/server/davxml"
)

// FuzzReport: whatever a REPORT asks for, the answer is XML (or a calendar), and nothing breaks
// inside.
func FuzzReport(f *testing.F) {
	for _, body := range []string{
		calQuery("VEVENT", `<C:time-range start="20260310T000000Z" end="20260312T000000Z"/>`, `<D:getetag/><C:calendar-data><C:expand start="20260101T000000Z" end="20260401T000000Z"/></C:calendar-data>`),
		calQuery("VEVENT", `<C:comp-filter name="VALARM"><C:time-range start="20260331T000000Z"/></C:comp-filter>`, `<D:displayname/>`),
		`<C:calendar-multiget` + xmlns + `><D:allprop/><D:href>` + calendarPath + `event.ics</D:href><D:href>%</D:href></C:calendar-multiget>`,
		`<CR:addressbook-query` + xmlns + `><D:prop><CR:address-data version="4.0"><CR:prop name="FN"/></CR:address-data></D:prop><CR:filter test="allof"><CR:prop-filter name="FN"><CR:text-match match-type="equals">bob</CR:text-match></CR:prop-filter></CR:filter><CR:limit><CR:nresults>1</CR:nresults></CR:limit></CR:addressbook-query>`,
		syncBody("data:,x-1", `<D:limit><D:nresults>1</D:nresults></D:limit>`),
		`<C:free-busy-query` + xmlns + `><C:time-range start="20260310T000000Z" end="20260311T000000Z"/></C:free-busy-query>`,
		`<D:expand-property` + xmlns + `><D:property name="owner"><D:property name="group-membership"><D:property name="displayname"/></D:property></D:property></D:expand-property>`,
		`<D:principal-property-search` + xmlns + `><D:property-search><D:prop><D:displayname/></D:prop><D:match>a</D:match></D:property-search><D:prop><D:displayname/></D:prop></D:principal-property-search>`,
		`<D:principal-match` + xmlns + `><D:principal-property><D:owner/></D:principal-property><D:prop/></D:principal-match>`,
		`<D:acl-principal-prop-set` + xmlns + `><D:propname/></D:acl-principal-prop-set>`,
		`<CS:calendarserver-principal-search` + xmlns + `><CS:search-token>a</CS:search-token></CS:calendarserver-principal-search>`,
		`<D:principal-search-property-set xmlns:D="DAV:"/>`,
	} {
		f.Add(body)
	}
	s := newServer(f)
	h := New(Options{Homes: s.homes, Directory: testDirectory})
	for name, text := range objects() {
		if !strings.Contains(text, "VTODO") {
			s.keep("calendar", map[string]string{name + ".ics": text})
		}
	}
	for name, text := range cards() {
		s.keep("contacts", map[string]string{name + ".vcf": text})
	}
	f.Fuzz(func(t *testing.T, body string) {
		if len(body) > 1<<14 {
			return
		}
		for _, path := range []string{calendarPath, contactsPath, homePath, people, calendarPath + "event.ics"} {
			w := httptest.NewRecorder()
			r := httptest.NewRequest("REPORT", path, strings.NewReader(body))
			r.Header.Set("Depth", "1")
			h.Serve(w, r, auth.Credential{Account: alice})
			answer := w.Body.String()
			if w.Code == http.StatusInternalServerError || strings.Contains(answer, " 500 ") {
				t.Fatalf("%s: %s\n%s", path, answer, s.log)
			}
			if strings.HasPrefix(w.Header().Get("Content-Type"), "text/calendar") {
				continue
			}
			if _, err := davxml.Parse(strings.NewReader(answer), davxml.Limits{Octets: 1 << 30}); err != nil {
				t.Fatalf("%s: %v\n%s", path, err, answer)
			}
		}
	})
}
