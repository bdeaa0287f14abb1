package spool

import (
	"io"
	"testing"
	"testing/synctest"

	"facteur/server/envelope"
	"facteur/server/fault"
)

// TestMessageOfEvent: who wants the message of an event can read it after the entry is
// gone, and as long as it keeps it.
func TestMessageOfEvent(t *testing.T) {
	for _, wanted := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.opts.Wanted = func(e Event) bool { return wanted && e.Kind == Bounced }
			w.answer = func(it Item) []Result {
				return []Result{{Fault: fault.New(fault.NoSuchAddress, ""), Remote: "mx.example.net"}}
			}
			var events []Event
			w.opts.Told = func(e Event) {
				events = append(events, e)
				if (e.Message != nil) != wanted || e.Message != nil && !e.Message.Keep() {
					t.Errorf("the message of %+v", e)
				}
			}
			w.start()
			e := entry("m1", "x@example.net")
			e.Envelope.Sender.ReversePath = e.Recipients[0].ForwardPath // a report that can't be sent is not what is tested
			e.Recipients[0].Notify = envelope.NotifyNever
			w.add(e).Release()
			synctest.Wait()
			same(t, "on disk", w.queued())
			if len(events) != 1 || events[0].Attempts != 1 || events[0].Envelope.ID != "m1" || !events[0].Next.IsZero() {
				t.Fatalf("%+v", events)
			}
			if m := events[0].Message; m != nil {
				raw, err := io.ReadAll(envelope.NewReader(m))
				if string(raw) != content || err != nil {
					t.Errorf("%q, %v", raw, err)
				}
				m.Close()
				if m.Keep() {
					t.Error("kept when it was closed")
				}
			}
			w.stop()
		})
	}
}
