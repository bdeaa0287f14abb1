package davd

import (
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"facteur/server/davxml"
	"facteur/server/fault"
)

func TestPutGetDelete(t *testing.T) {
	s := newServer(t)
	path := calendarPath + "a.ics"
	made := s.ask("PUT", path, event("1"), "Content-Type: text/calendar; charset=utf-8", "If-None-Match: *").want(201)
	tag := made.header.Get("ETag")
	got := s.ask("GET", path, "").want(200)
	if got.body != event("1") || got.header.Get("ETag") != tag || tag == "" || got.header.Get("Content-Type") != "text/calendar; charset=utf-8; component=vevent" {
		t.Errorf("%v\n%s", got.header, got.body)
	}
	if head := s.ask("HEAD", path, "").want(200); head.header.Get("Content-Length") != fmt.Sprint(len(event("1"))) || head.body != "" {
		t.Errorf("%v", head.header)
	}
	s.ask("GET", path, "", "If-None-Match: "+tag).want(304)
	if part := s.ask("GET", path, "", "Range: bytes=0-14").want(206); part.body != "BEGIN:VCALENDAR" {
		t.Errorf("%q", part.body)
	}
	s.ask("GET", path, "", "Range: bytes=9999-").want(416)
	s.ask("PUT", path, event("1"), "If-None-Match: *").want(412)
	s.ask("PUT", path, event("1"), `If-Match: "other"`).want(412)
	s.ask("PUT", path, event("1"), `If-Match: W/`+tag).want(412)
	s.ask("PUT", calendarPath+"b.ics", event("2"), `If-Match: *`).want(412)
	next := s.ask("PUT", path, event("1", "DTSTART:20270101T000000Z"), `If-Match: "other", `+tag).want(204)
	if next.header.Get("ETag") == tag {
		t.Error("the tag stays")
	}
	s.ask("DELETE", path, "", "If-Match: "+tag).want(412)
	s.ask("DELETE", path, "", "If-Match: "+next.header.Get("ETag")).want(204)
	s.ask("GET", path, "").want(404)
	s.ask("DELETE", path, "").want(404)
}

func TestPutRefused(t *testing.T) {
	s := newServer(t, func(o *Options) { o.MaxObject = 4096 })
	for _, c := range []struct {
		name, path, body string
		headers          []string
		status           int
		condition        davxml.Name
		text             string
	}{
		{"no calendar", calendarPath + "a.ics", "hello", nil, 403, davxml.C("valid-calendar-data"), "line 1"},
		{"a bad time", calendarPath + "a.ics", event("1", "DTSTART:yesterday"), nil, 403, davxml.C("valid-calendar-data"), "line 7"},
		{"a method", calendarPath + "a.ics", strings.Replace(event("1"), "VERSION", "METHOD:REQUEST\r\nVERSION", 1), nil, 403, davxml.C("valid-calendar-object-resource"), ""},
		{"a task", calendarPath + "a.ics", strings.ReplaceAll(event("1"), "VEVENT", "VTODO"), nil, 403, davxml.C("supported-calendar-component"), "keeps VEVENT"},
		{"an unknown component", calendarPath + "a.ics", strings.ReplaceAll(event("1"), "VEVENT", "VPARTY"), nil, 403, davxml.C("supported-calendar-component"), ""},
		{"a type", calendarPath + "a.ics", event("1"), []string{"Content-Type: text/html"}, 403, davxml.C("supported-calendar-data"), "text/calendar"},
		{"a charset", calendarPath + "a.ics", event("1"), []string{"Content-Type: text/calendar; charset=latin1"}, 403, davxml.C("supported-calendar-data"), ""},
		{"a card", calendarPath + "a.ics", card("1", "x"), nil, 403, davxml.C("valid-calendar-data"), ""},
		{"too large", calendarPath + "a.ics", event("1", "DTSTART:20260101T000000Z", "X-A:"+strings.Repeat("x", 5000)), nil, 403, davxml.C("max-resource-size"), "4096"},
		{"no card", contactsPath + "a.vcf", event("1"), nil, 403, davxml.CR("valid-address-data"), ""},
		{"a version", contactsPath + "a.vcf", strings.Replace(card("1", "x"), "3.0", "2.1", 1), nil, 403, davxml.CR("supported-address-data"), ""},
		{"a calendar", contactsPath + "a.vcf", card("1", "x"), []string{"Content-Type: text/calendar"}, 403, davxml.CR("supported-address-data"), ""},
	} {
		a := s.ask("PUT", c.path, c.body, c.headers...).condition(c.status, c.condition)
		if !strings.Contains(a.body, c.text) {
			t.Errorf("%s: %s", c.name, a.body)
		}
	}
	s.keep("calendar", map[string]string{"one ü.ics": event("1")})
	conflict := s.ask("PUT", calendarPath+"two.ics", event("1")).condition(409, davxml.C("no-uid-conflict"))
	if href := conflict.xml().Child(davxml.C("no-uid-conflict")).Child(nHref); href == nil || href.Text != calendarPath+"one%20%C3%BC.ics" {
		t.Error(conflict.body)
	}
	s.ask("PUT", calendarPath+"a.ics", event("9"), "Content-Encoding: gzip").want(415)
	s.ask("PUT", calendarPath+"a.ics", event("9"), "Content-Range: bytes 0-1/2").want(400)
	s.ask("PUT", calendarPath, event("9")).want(405)
	s.ask("PUT", homePath+"a.ics", event("9")).want(405)
	s.ask("PUT", homePath+"none/a.ics", event("9")).want(409)
	s.ask("PUT", calendarPath+"a/b.ics", event("9")).want(409)
	s.ask("MKCOL", calendarPath+"a/b/", "").want(409)
	s.ask("GET", calendarPath+"a/b.ics", "").want(404)
	s.ask("PUT", calendarPath+strings.Repeat("x", 300)+".ics", event("9")).want(403)
	s.room = fault.New(fault.OverQuota, "")
	s.ask("PUT", calendarPath+"a.ics", event("9")).condition(507, davxml.D("quota-not-exceeded"))
}

func TestPutPrefersRepresentation(t *testing.T) {
	s := newServer(t)
	for _, want := range []int{201, 200} {
		a := s.ask("PUT", calendarPath+"a%20b.ics", event("1"), "Prefer: return=representation").want(want)
		if a.body != event("1") || a.header.Get("Content-Location") != calendarPath+"a%20b.ics" || a.header.Get("Preference-Applied") != "return=representation" {
			t.Errorf("%v %s", a.header, a.body)
		}
	}
	a := s.ask("PUT", calendarPath+"a%20b.ics", event("1"), "Prefer: return=representation", "If-None-Match: *").want(412)
	if a.body != event("1") || a.header.Get("ETag") == "" {
		t.Errorf("%v %s", a.header, a.body)
	}
}

func TestIf(t *testing.T) {
	s := newServer(t)
	path := calendarPath + "a.ics"
	tag := s.ask("PUT", path, event("1")).want(201).header.Get("ETag")
	token := s.prop(calendarPath, davxml.D("sync-token")).text()
	for _, c := range []struct {
		value  string
		status int
	}{
		{"([" + tag + "])", 204}, {`(["x"])`, 412}, {`(Not ["x"])`, 204}, {`(["x"]) ([` + tag + `])`, 204},
		{"<" + calendarPath + "> (<" + token + ">)", 204}, {"<" + s.url + calendarPath + "> (<data:,x>)", 412},
		{"<" + calendarPath + "none.ics> (Not [" + tag + "])", 204}, {"<http://other.example/> ([" + tag + "])", 412},
		{"(<urn:uuid:181d4fae-7d8c-11d0-a765-00a0c91e6bf2>)", 412},
		{"(", 400}, {"x", 400}, {"()", 400}, {"<a> ", 400}, {"(Not)", 400}, {"([x)", 400}, {strings.Repeat(`(["x"])`, 200), 400},
	} {
		s.ask("PUT", path, event("1"), "If: "+c.value).want(c.status)
	}
}

// TestLostUpdate: of two who change one object, the second is told.
func TestLostUpdate(t *testing.T) {
	s := newServer(t)
	path := calendarPath + "a.ics"
	tag := s.ask("PUT", path, event("1")).header.Get("ETag")
	s.ask("PUT", path, event("1", "DTSTART:20260102T000000Z"), "If-Match: "+tag).want(204)
	s.ask("PUT", path, event("1", "DTSTART:20260103T000000Z"), "If-Match: "+tag).want(412)
	if a := s.ask("GET", path, ""); !strings.Contains(a.body, "20260102") {
		t.Error(a.body)
	}
}

func TestDeleteCollection(t *testing.T) {
	s := newServer(t)
	s.ask("MKCALENDAR", homePath+"x/", "").want(201)
	s.ask("DELETE", homePath+"x/", "", "Depth: 0").want(400)
	s.ask("DELETE", homePath+"x/", "").want(204)
	s.ask("DELETE", homePath+"x/", "").want(404)
	s.ask("DELETE", homePath, "").want(405)
	s.ask("DELETE", "/dav/office@example.org/calendar/", "", "user: bob@example.org").condition(http.StatusForbidden, davxml.D("need-privileges"))
}

func TestPages(t *testing.T) {
	s := newServer(t)
	s.keep("calendar", map[string]string{"a&b.ics": event("1"), "z.ics": strings.Replace(event("2"), "BEGIN:VEVENT", zone[strings.Index(zone, "BEGIN:VTIMEZONE"):strings.Index(zone, "END:VCALENDAR")]+"BEGIN:VEVENT", 1)})
	s.keep("contacts", map[string]string{"a.vcf": card("1", "Ann"), "b.vcf": card("2", "Bob")})
	if a := s.ask("GET", calendarPath, "").want(200); !strings.Contains(a.body, `href="/dav/alice@example.org/calendar/a%26b.ics">a&amp;b.ics<`) || a.header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Error(a.body)
	}
	for _, path := range []string{"/", "/dav/", homePath, "/dav/principals/", "/dav/principals/bob@example.org/"} {
		s.ask("GET", path, "").want(200)
	}
	whole := s.ask("GET", calendarPath+"?export", "").want(200)
	if strings.Count(whole.body, "BEGIN:VEVENT") != 2 || strings.Count(whole.body, "BEGIN:VTIMEZONE") != 1 || strings.Count(whole.body, "VCALENDAR") != 2 {
		t.Error(whole.body)
	}
	s.ask("GET", calendarPath+"?export", "", "If-None-Match: "+whole.header.Get("ETag")).want(304)
	if a := s.ask("GET", contactsPath+"?export", "").want(200); strings.Count(a.body, "BEGIN:VCARD") != 2 || !strings.HasPrefix(a.header.Get("Content-Type"), "text/vcard") {
		t.Error(a.body)
	}
}

// TestLargeObject: an event with 10 MB in it is kept as it is (a picture of a card likewise).
func TestLargeObject(t *testing.T) {
	s := newServer(t)
	line := strings.Repeat("QUJD", 18)
	attached := "ATTACH;ENCODING=BASE64;VALUE=BINARY:" + strings.Repeat("\r\n "+line, 10<<20/len(line))
	data := event("1", "DTSTART:20260510T080000Z", attached)
	s.ask("PUT", calendarPath+"a.ics", data).want(201)
	if got := s.ask("GET", calendarPath+"a.ics", "").want(200); got.body != data {
		t.Errorf("%d octets came back of %d", len(got.body), len(data))
	}
	if got := s.ask("GET", calendarPath+"?export", "").want(200); !strings.Contains(got.body, "ATTACH") {
		t.Error("it is not exported")
	}
	picture := strings.Replace(card("1", "Ann"), "END:", "PHOTO;ENCODING=b;TYPE=JPEG:"+strings.Repeat("\r\n "+line, 3<<20/len(line))+"\r\nEND:", 1)
	s.ask("PUT", contactsPath+"a.vcf", picture).want(201)
}

// TestFullDisk: nothing is there after a PUT for which there was no room.
func TestFullDisk(t *testing.T) {
	s := newServer(t)
	s.ask("PROPFIND", calendarPath, "", "Depth: 0").want(207)
	s.room = fault.Wrap(fault.Unavailable, "", syscall.ENOSPC)
	s.ask("PUT", calendarPath+"a.ics", event("9")).condition(507, davxml.D("sufficient-disk-space"))
	s.room = nil
	s.ask("GET", calendarPath+"a.ics", "").want(404)
	s.ask("PUT", calendarPath+"a.ics", event("9")).want(201)
}

// TestStopping: a store that is closed is no empty one.
func TestStopping(t *testing.T) {
	s := newServer(t)
	s.keep("calendar", map[string]string{"a.ics": event("1")})
	if err := s.store.Close(); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{homePath, calendarPath, calendarPath + "a.ics"} {
		if a := s.ask("PROPFIND", path, "", "Depth: 1").want(503); a.header.Get("Retry-After") == "" {
			t.Errorf("%s: %v", path, a.header)
		}
	}
	s.ask("PUT", calendarPath+"b.ics", event("2")).want(503)
}
