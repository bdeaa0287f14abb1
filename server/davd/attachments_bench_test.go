package davd

import (
	"fmt"
	"net/http"
	"testing"
)

// attachedSizes calls do with a server of which a calendar has many events, and one of them an
// attachment that lies at a path.
func attachedSizes(b *testing.B, do func(b *testing.B, s *attaching, at string)) {
	for _, count := range []int{2000, 20000} {
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			s := newAttaching(b)
			fill(b, s.server, count)
			s.ask("PUT", eventPath, event("64")).want(http.StatusCreated)
			_, at := s.add(eventPath, "a.txt", "octets")
			b.ResetTimer()
			do(b, s, at)
		})
	}
}

// BenchmarkAttachmentGet reads an attachment.
func BenchmarkAttachmentGet(b *testing.B) {
	attachedSizes(b, func(b *testing.B, s *attaching, at string) {
		for b.Loop() {
			s.fetch(b, "GET", at, "")
		}
	})
}

// BenchmarkAttachedPut puts an object again that names an attachment.
func BenchmarkAttachedPut(b *testing.B) {
	attachedSizes(b, func(b *testing.B, s *attaching, _ string) {
		bodies := make([]string, 2)
		for i := range bodies {
			bodies[i] = s.object(eventPath)
			bodies[i] = bodies[i][:len(bodies[i])-len("END:VEVENT\r\nEND:VCALENDAR\r\n")] + fmt.Sprintf("X-OWN:%d\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n", i)
		}
		for n := 0; b.Loop(); n++ {
			s.fetch(b, "PUT", eventPath, bodies[n%2], "Content-Type: text/calendar")
		}
	})
}

// BenchmarkPlainPut puts an object again that names none, in the same calendar.
func BenchmarkPlainPut(b *testing.B) {
	attachedSizes(b, func(b *testing.B, s *attaching, _ string) {
		for n := 0; b.Loop(); n++ {
			s.fetch(b, "PUT", calendarPath+"plain.ics", event("plain", "DTSTART:20260510T080000Z", fmt.Sprintf("X-OWN:%d", n%2)), "Content-Type: text/calendar")
		}
	})
}
