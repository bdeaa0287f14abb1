package scheduling

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"facteur/server/collection"
)

// TestAtOnce: several answer at once while the organizer changes the meeting, and nothing of
// it is lost; a client whose condition does not hold any more is told so.
func TestAtOnce(t *testing.T) {
	w := newWorld(t)
	who := []string{"bob", "carol", "office"}
	invited := []string{"alice@example.org"}
	for _, a := range who {
		invited = append(invited, a+"@example.org")
	}
	w.put("alice", "m.ics", meeting("m1", "alice@example.org", invited...))
	var wg sync.WaitGroup
	for i, a := range who {
		wg.Go(func() {
			r := Request{Account: addr(a + "@example.org"), Collection: w.own(a), Href: w.href(a, "m1")}
			for n := range 10 {
				part := []string{"ACCEPTED", "TENTATIVE"}[(n+i)%2]
				if n == 9 {
					part = "ACCEPTED"
				}
				err := w.retry(r, func(now string) string {
					return strings.Replace(accept(now, a), "PARTSTAT=ACCEPTED:mailto:"+a, "PARTSTAT="+part+":mailto:"+a, 1)
				})
				if err != nil {
					t.Errorf("%s: %v", a, err)
				}
			}
		})
	}
	wg.Go(func() {
		r := Request{Account: addr("alice@example.org"), Collection: w.own("alice"), Href: "m.ics"}
		for n := range 10 {
			err := w.retry(r, func(now string) string {
				for line := range strings.SplitSeq(now, "\r\n") {
					if strings.HasPrefix(line, "SUMMARY") {
						return strings.Replace(now, line, fmt.Sprint("SUMMARY:Plan ", n), 1)
					}
				}
				return now
			})
			if err != nil {
				t.Errorf("alice: %v", err)
			}
		}
	})
	wg.Wait()
	w.settle()
	event := w.event("alice", "m1")
	for _, a := range who {
		same(t, a+" at the organizer", partStatOf(event, a), "ACCEPTED")
		if e := w.event(a, "m1"); !strings.Contains(e, "SUMMARY:Plan 9") {
			t.Errorf("what %s has: %s", a, e)
		}
	}
	same(t, "tasks left", w.tasks(), 0)
}

// retry changes an object as a careful client does: on the condition that it is what was read.
func (w *world) retry(r Request, change func(string) string) error {
	for range 1000 {
		o, err := read(r.Collection, r.Href)
		if err != nil || o.entry == nil {
			return fmt.Errorf("reading: %w", err)
		}
		r.Condition.Match = []collection.ETag{o.entry.ETag}
		if _, err = w.Put(context.Background(), r, []byte(change(unfold(string(o.data))))); !errors.Is(err, collection.ErrCondition) {
			return err
		}
	}
	return errors.New("another was always first")
}

// TestRoomOnce: of many who want a room at one time, one gets it.
func TestRoomOnce(t *testing.T) {
	w := newWorld(t)
	var wg sync.WaitGroup
	const many = 8
	for i := range many {
		wg.Go(func() {
			who := []string{"alice", "bob"}[i%2]
			w.put(who, fmt.Sprint(i, ".ics"), meeting(fmt.Sprint("r", i), who+"@example.org", "room@example.org"))
		})
	}
	wg.Wait()
	w.settle()
	given := 0
	for i := range many {
		who := []string{"alice", "bob"}[i%2]
		switch answer := partStatOf(w.event(who, fmt.Sprint("r", i)), "room"); answer {
		case "ACCEPTED":
			given++
		case "DECLINED":
		default:
			t.Errorf("the room answers %q", answer)
		}
	}
	same(t, "given", given, 1)
}
