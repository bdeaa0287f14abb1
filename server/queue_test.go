package server

import (
	"strings"
	"testing"

	"facteur/server/control"
	"facteur/server/testkit"
)

// TestQueueAll: work on all of the queue is not disturbed by what is done before its
// turn has come; work on one message tells that.
func TestQueueAll(t *testing.T) {
	s := newSite(t)
	s.setAnswer(func(stage testkit.Stage, _ string) string {
		if stage == testkit.Mail {
			return "451 4.3.2 Not now"
		}
		return ""
	})
	for _, subject := range []string{"One", "Two"} {
		s.send(s.smtp("submission", "alice@example.org"), subject, "alice@example.org", "x@example.net")
		s.events.wait(t, "msg=spool.deferred")
	}
	list := s.spool.List()
	if len(list) != 2 {
		t.Fatalf("%+v", list)
	}
	q := s.queueWork()
	var said []string
	err := q.QueueWork(t.Context(), control.QueueRequest{Verb: "retry"}, func(line string) {
		said = append(said, line)
		if err := q.QueueWork(t.Context(), control.QueueRequest{Verb: "drop", IDs: []string{list[1].ID}}, func(string) {}); err != nil {
			t.Error(err)
		}
	})
	if err != nil || len(said) != 1 || !strings.HasPrefix(said[0], list[0].ID) {
		t.Errorf("%v: %q", err, said)
	}
	if err := q.QueueWork(t.Context(), control.QueueRequest{Verb: "retry", IDs: []string{list[1].ID}}, func(string) {}); err == nil {
		t.Error("what is gone is tried")
	}
}
