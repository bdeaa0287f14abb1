package scheduling

import (
	"context"
	"fmt"
	"testing"

	"facteur/server/collection"
)

// BenchmarkPut: what scheduling costs who invites nobody, and an invitation of one person here.
func BenchmarkPut(b *testing.B) {
	for _, c := range []struct {
		name string
		put  func(w *world, i int) error
	}{
		{"store", func(w *world, i int) error {
			_, _, err := w.own("alice").Put(fmt.Sprint(i, ".ics"), []byte(meeting(fmt.Sprint(i), "")), collection.Condition{})
			return err
		}},
		{"plain", func(w *world, i int) error { return w.bench(i, meeting(fmt.Sprint(i), "")) }},
		{"invite", func(w *world, i int) error {
			return w.bench(i, meeting(fmt.Sprint(i), "alice@example.org", "bob@example.org"))
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			w := newWorld(b)
			for i := 0; b.Loop(); i++ {
				if err := c.put(w, i); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func (w *world) bench(i int, data string) error {
	_, err := w.Put(context.Background(), Request{
		Account: addr("alice@example.org"), Collection: w.own("alice"), Href: fmt.Sprint(i, ".ics"),
	}, []byte(data))
	return err
}
