package davd

import (
	"fmt"
	"net/http"
	"testing"
)

// BenchmarkAttachmentGet reads an attachment of a calendar with 2,000 events.
func BenchmarkAttachmentGet(b *testing.B) {
	s := newAttaching(b)
	objects := make(map[string]string)
	for i := range 2000 {
		objects[fmt.Sprint(i, ".ics")] = event(fmt.Sprint(i))
	}
	s.keep("calendar", objects)
	_, at := s.add(eventPath, "a.txt", "octets")
	for b.Loop() {
		s.ask("GET", at, "").want(http.StatusOK)
	}
}
