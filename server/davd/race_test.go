package davd

import (
	"fmt"
	"sync"
	"testing"

	"facteur/server/davxml"
)

// TestRace: of many who make or change one object at once, one does, and who lists meanwhile
// sees every object once and whole.
func TestRace(t *testing.T) {
	s := newServer(t)
	const writers = 8
	for round := range 5 {
		path := fmt.Sprintf("%s%d.ics", calendarPath, round)
		uid := fmt.Sprint(round)
		tag := s.race(t, writers, func(n int) *answer {
			return s.ask("PUT", path, event(uid, fmt.Sprintf("DTSTART:2026010%dT000000Z", n+1)), "If-None-Match: *")
		}, 201)
		s.race(t, writers, func(n int) *answer {
			return s.ask("PUT", path, event(uid, fmt.Sprintf("DTSTART:2027010%dT000000Z", n+1)), "If-Match: "+tag)
		}, 204)
	}
}

// race has many ask at once, and returns the ETag that the one got who was first; all others
// have to get a 412.
func (s *server) race(t *testing.T, writers int, ask func(n int) *answer, won int) (tag string) {
	t.Helper()
	answers := make([]*answer, writers)
	var wait sync.WaitGroup
	for n := range writers {
		wait.Go(func() { answers[n] = ask(n) })
		if n%4 == 0 {
			wait.Go(func() {
				_, order := s.ask("PROPFIND", calendarPath, propfindOf(davxml.D("getetag")), "Depth: 1").responses()
				if len(order) > 6 {
					t.Errorf("%q", order)
				}
			})
		}
	}
	wait.Wait()
	winners := 0
	for _, a := range answers {
		switch a.status {
		case won:
			winners++
			tag = a.header.Get("ETag")
		case 412:
		default:
			t.Errorf("status %d\n%s", a.status, a.body)
		}
	}
	if winners != 1 || tag == "" {
		t.Errorf("%d were first", winners)
	}
	return tag
}
