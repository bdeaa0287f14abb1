package davd

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"facteur/server/collection"
	"facteur/server/davxml"
)

// many is how many objects the benchmarks of reports have.
const many = 20_000

// calendarOf makes a calendar of events, one each two hours, each twentieth with a rule, and
// an address book.
func calendarOf(b *testing.B, n int) *server {
	s := newServer(b, func(o *Options) { o.Scheduling = openScheduling(b, o) })
	h, err := s.homes.Open(alice, alice)
	if err != nil {
		b.Fatal(err)
	}
	put := func(name string, object func(i int) (href, data string)) {
		c, err := h.Open(name)
		if err != nil {
			b.Fatal(err)
		}
		var wg sync.WaitGroup
		for w := range 16 {
			wg.Go(func() {
				for i := w; i < n; i += 16 {
					href, data := object(i)
					if _, _, err := c.Put(href, []byte(data), collection.Condition{}); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
	}
	begin := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	put("calendar", func(i int) (string, string) {
		at := begin.Add(time.Duration(i) * 2 * time.Hour)
		lines := []string{"DTSTART;TZID=Europe/Paris:" + at.Format("20060102T150405"), "DURATION:PT1H", fmt.Sprintf("SUMMARY:Event %d", i),
			"LOCATION:Room 5", "DESCRIPTION:" + strings.Repeat("What is said about it. ", 10), "BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-PT15M", "DESCRIPTION:x", "END:VALARM"}
		if i%20 == 0 {
			lines = append(lines[:2:2], append([]string{"RRULE:FREQ=WEEKLY;COUNT=10"}, lines[2:]...)...)
		}
		return fmt.Sprintf("%08d-0123-4567-89ab-cdef01234567.ics", i), event(fmt.Sprintf("uid-%d", i), lines...)
	})
	put("contacts", func(i int) (string, string) {
		return fmt.Sprintf("%08d.vcf", i), strings.Replace(card(fmt.Sprintf("uid-%d", i), fmt.Sprintf("Person %d", i)), "END:", fmt.Sprintf("EMAIL:person%d@example.org\r\nTEL:+33 %d\r\nEND:", i, i), 1)
	})
	return s
}

func BenchmarkReports(b *testing.B) {
	s := calendarOf(b, many)
	month := `<C:time-range start="20230601T000000Z" end="20230701T000000Z"/>`
	var hrefs, cards strings.Builder
	for i := range many {
		fmt.Fprintf(&hrefs, "<D:href>%s%08d-0123-4567-89ab-cdef01234567.ics</D:href>", calendarPath, i)
		fmt.Fprintf(&cards, "<D:href>%s%08d.vcf</D:href>", contactsPath, i)
	}
	multiget := `<C:calendar-multiget` + xmlns + `><D:prop><D:getetag/><C:calendar-data/></D:prop>`
	for _, c := range []struct{ name, path, body string }{
		{"month/etags", calendarPath, calQuery("VEVENT", month, "<D:getetag/>")},
		{"month/data", calendarPath, calQuery("VEVENT", month, "<D:getetag/><C:calendar-data/>")},
		{"month/expand", calendarPath, calQuery("VEVENT", month, `<D:getetag/><C:calendar-data><C:expand start="20230601T000000Z" end="20230701T000000Z"/></C:calendar-data>`)},
		{"all/etags", calendarPath, calQuery("VEVENT", "", "<D:getetag/>")},
		{"uid", calendarPath, calQuery("VEVENT", `<C:prop-filter name="UID"><C:text-match collation="i;octet">uid-777</C:text-match></C:prop-filter>`, "<D:getetag/>")},
		{"text", calendarPath, calQuery("VEVENT", `<C:prop-filter name="SUMMARY"><C:text-match>Event 777</C:text-match></C:prop-filter>`, "<D:getetag/>")},
		{"text/files", calendarPath, calQuery("VEVENT", `<C:prop-filter name="DESCRIPTION"><C:text-match>nothing has this</C:text-match></C:prop-filter><C:prop-filter name="SUMMARY"><C:text-match>Event</C:text-match></C:prop-filter>`, "<D:getetag/>")},
		{"freebusy/month", calendarPath, `<C:free-busy-query` + xmlns + `>` + month + `</C:free-busy-query>`},
		{"multiget/100", calendarPath, multiget + strings.Join(strings.SplitAfter(hrefs.String(), "</D:href>")[:100], "") + `</C:calendar-multiget>`},
		{"multiget/10", calendarPath, multiget + strings.Join(strings.SplitAfter(hrefs.String(), "</D:href>")[:10], "") + `</C:calendar-multiget>`},
		{"multiget/20000", calendarPath, multiget + hrefs.String() + `</C:calendar-multiget>`},
		{"multiget/20000/etags", calendarPath, strings.Replace(multiget, "<C:calendar-data/>", "", 1) + hrefs.String() + `</C:calendar-multiget>`},
		{"cards/query", contactsPath, `<CR:addressbook-query` + xmlns + `><D:prop><D:getetag/><CR:address-data/></D:prop><CR:filter><CR:prop-filter name="EMAIL"><CR:text-match>person777@</CR:text-match></CR:prop-filter></CR:filter></CR:addressbook-query>`},
		{"cards/multiget/20000", contactsPath, `<CR:addressbook-multiget` + xmlns + `><D:prop><D:getetag/><CR:address-data/></D:prop>` + cards.String() + `</CR:addressbook-multiget>`},
		{"sync/all", calendarPath, syncBody("", "")},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				a := s.ask("REPORT", c.path, c.body, "Depth: 1")
				if a.status >= 300 || len(a.body) < 100 {
					b.Fatal(a.status, a.body)
				}
				b.SetBytes(int64(len(a.body)))
			}
		})
	}
	b.Run("sync/10", func(b *testing.B) {
		token := s.prop(calendarPath, davxml.D("sync-token")).text()
		changed := make(map[string]string)
		for i := range 10 {
			changed[fmt.Sprintf("new%d.ics", i)] = event(fmt.Sprintf("new%d", i))
		}
		s.keep("calendar", changed)
		b.ReportAllocs()
		for b.Loop() {
			if a := s.ask("REPORT", calendarPath, syncBody(token, ""), "Depth: 0"); a.status != http.StatusMultiStatus || strings.Count(a.body, "getetag>") != 20 {
				b.Fatal(a.body)
			}
		}
	})
}
