package homes

import (
	"fmt"
	"strings"
	"testing"
)

// TestFeedBomb: a zone that each of many events names does not make gigabytes of a short text.
func TestFeedBomb(t *testing.T) {
	var b strings.Builder
	b.WriteString("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//example//EN\r\nBEGIN:VTIMEZONE\r\nTZID:Long\r\nCOMMENT:" + strings.Repeat("x", 900<<10) +
		"\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0100\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n")
	for i := range 1000 {
		fmt.Fprintf(&b, "BEGIN:VEVENT\r\nUID:%d\r\nDTSTART;TZID=Long:20260101T080000\r\nEND:VEVENT\r\n", i)
	}
	b.WriteString("END:VCALENDAR\r\n")
	if want, err := splitFeed([]byte(b.String())); err == nil || !strings.Contains(err.Error(), "octets") {
		t.Errorf("%d objects, %v", len(want), err)
	}
}
