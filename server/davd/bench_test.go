package davd

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"facteur/server/davxml"
)

// fill puts objects into alice's calendar.
func fill(b *testing.B, s *server, count int) {
	b.Helper()
	objects := make(map[string]string, count)
	for i := range count {
		objects[fmt.Sprintf("event-%05d.ics", i)] = event(fmt.Sprintf("uid-%05d", i))
	}
	s.keep("calendar", objects)
}

// fetch sends a request and throws the answer away.
func (s *server) fetch(b *testing.B, method, path, body string, headers ...string) (octets int64) {
	req, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	res, err := s.client.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer res.Body.Close()
	if octets, err = io.Copy(io.Discard, res.Body); err != nil || res.StatusCode/100 != 2 {
		b.Fatalf("%d %v", res.StatusCode, err)
	}
	return octets
}

// BenchmarkPropfindETags lists all etags of a calendar, over HTTP.
func BenchmarkPropfindETags(b *testing.B) {
	for _, count := range []int{2000, 20000} {
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			s := newServer(b)
			fill(b, s, count)
			body := propfindOf(davxml.D("getetag"))
			b.SetBytes(s.fetch(b, "PROPFIND", calendarPath, body, "Depth: 1"))
			b.ReportAllocs()
			b.ResetTimer()
			for b.Loop() {
				s.fetch(b, "PROPFIND", calendarPath, body, "Depth: 1")
			}
		})
	}
}

// BenchmarkPropfindClient lists what DAVx5 and vdirsyncer ask of each object.
func BenchmarkPropfindClient(b *testing.B) {
	s := newServer(b)
	fill(b, s, 20000)
	body := propfindOf(davxml.D("resourcetype"), davxml.D("getcontenttype"), davxml.D("getetag"), davxml.D("getlastmodified"), davxml.D("getcontentlength"))
	b.SetBytes(s.fetch(b, "PROPFIND", calendarPath, body, "Depth: 1"))
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		s.fetch(b, "PROPFIND", calendarPath, body, "Depth: 1")
	}
}

// BenchmarkPut puts new objects, durably, over HTTP.
func BenchmarkPut(b *testing.B) {
	for _, clients := range []int{1, 8} {
		b.Run(fmt.Sprintf("%d clients", clients), func(b *testing.B) {
			s := newServer(b)
			var next atomic.Int64
			b.SetParallelism(max(clients/2, 1))
			put := func() {
				n := next.Add(1)
				s.fetch(b, "PUT", fmt.Sprintf("%s%d.ics", calendarPath, n), event(fmt.Sprint(n)), "Content-Type: text/calendar", "If-None-Match: *")
			}
			if clients == 1 {
				for b.Loop() {
					put()
				}
				return
			}
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					put()
				}
			})
		})
	}
}

// BenchmarkGet reads an object over HTTP.
func BenchmarkGet(b *testing.B) {
	s := newServer(b)
	fill(b, s, 1)
	for b.Loop() {
		s.fetch(b, "GET", calendarPath+"event-00000.ics", "")
	}
}
