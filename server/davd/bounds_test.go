package davd

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestSlowReports: a report that takes longer than it may ends, whatever was asked for.
func TestSlowReports(t *testing.T) {
	s := newServer(t, func(o *Options) { o.MaxLook = time.Nanosecond })
	s.keep("calendar", map[string]string{"a.ics": event("1"), "b.ics": event("2")})
	hrefs := strings.Repeat("<D:href>"+calendarPath+"a.ics</D:href>", 50)
	a := s.report(calendarPath, `<C:calendar-multiget xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><D:getetag/><C:calendar-data/></D:prop>`+hrefs+`</C:calendar-multiget>`).want(207)
	if got, refused := strings.Count(a.body, "BEGIN:VCALENDAR"), strings.Count(a.body, "507 Insufficient"); got != 1 || refused != 49 {
		t.Errorf("%d objects, and %d hrefs told to be too many", got, refused)
	}
	body := `<D:expand-property xmlns:D="DAV:">` + strings.Repeat(`<D:property name="owner"><D:property name="displayname"/></D:property>`, 50) + `</D:expand-property>`
	req, err := http.NewRequest("REPORT", s.url+calendarPath, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.client.Do(req)
	if err == nil {
		_, err = io.ReadAll(res.Body)
		res.Body.Close()
	}
	if err == nil {
		t.Error("an expand-property of no end is finished")
	}
}

// TestLargeObjects: so many are worked on at once, and each gets its turn.
func TestLargeObjects(t *testing.T) {
	s := newServer(t)
	for range maxLarge {
		s.handler.large <- struct{}{}
	}
	s.ask("PUT", calendarPath+"small.ics", event("small")).want(201)
	text := event("large", "DTSTART:20260510T080000Z", "DESCRIPTION:"+strings.Repeat("x", largeObject))
	put := make(chan int)
	go func() { put <- s.ask("PUT", calendarPath+"large.ics", text).status }()
	s.ask("GET", calendarPath+"large.ics", "").want(404)
	<-s.handler.large
	if status := <-put; status != 201 {
		t.Errorf("%d", status)
	}
	if got := len(s.handler.large); got != maxLarge-1 {
		t.Errorf("%d have their turn", got)
	}
}
