package attachments

import (
	"fmt"
	"strings"
	"testing"

	"facteur/server/collection"
)

// BenchmarkRelease is what a PUT of an object that names an attachment does beside the PUT, in a
// calendar with many events.
func BenchmarkRelease(b *testing.B) {
	for _, count := range []int{2000, 20000} {
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			w := newWorld(b)
			for i := range count {
				uid := fmt.Sprintf("UID:event-%d\r\n", i)
				if _, _, err := w.calendar().Put(fmt.Sprint("event-", i, ".ics"), []byte(strings.Replace(object(), "UID:1\r\n", uid, 1)), collection.Condition{}); err != nil {
					b.Fatal(err)
				}
			}
			a := w.add("octets")
			w.put(a)
			w.Release(alice, []string{a.ID}, nil)
			for b.Loop() {
				w.Release(alice, nil, []string{a.ID})
			}
			if w.attached() != "octets" {
				b.Error("it is gone")
			}
		})
	}
}
