package spool

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"facteur/server/address"
	"facteur/server/envelope"
	"facteur/server/fault"
)

func TestNotify(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Entry)
		res    Result
		want   string // action of the report
	}{
		{"failure is told", func(*Entry) {}, Result{Fault: nobody}, "failed"},
		{"not to nobody", func(e *Entry) { e.Envelope.Sender.ReversePath = address.Address{} }, Result{Fault: nobody}, ""},
		{"NEVER", func(e *Entry) { e.Recipients[0].Notify = envelope.NotifyNever }, Result{Fault: nobody}, ""},
		{"DELAY alone", func(e *Entry) { e.Recipients[0].Notify = envelope.NotifyDelay }, Result{Fault: nobody}, ""},
		{"SUCCESS alone", func(e *Entry) { e.Recipients[0].Notify = envelope.NotifySuccess }, Result{Fault: nobody}, ""},
		{"FAILURE", func(e *Entry) { e.Recipients[0].Notify = envelope.NotifyFailure }, Result{Fault: nobody}, "failed"},
		{"success is not told", func(*Entry) {}, Result{}, ""},
		{"relayed", func(e *Entry) { e.Recipients[0].Notify = envelope.NotifySuccess }, Result{Remote: "mx.example.net", Reply: "250 Ok"}, "relayed"},
		{"relayed to one that tells", func(e *Entry) { e.Recipients[0].Notify = envelope.NotifySuccess }, Result{DSN: true}, ""},
		{"delivered", func(e *Entry) { e.Recipients[0].Notify, e.Recipients[0].Local = envelope.NotifySuccess, true }, Result{}, "delivered"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.setAnswer(func(Item) []Result { return []Result{c.res} })
				w.start()
				e := entry("m1", "bob@example.net")
				c.change(&e)
				w.add(e).Release()
				synctest.Wait()
				var got string
				for _, r := range w.reported() {
					_, after, _ := strings.Cut(r.text, "\r\nAction: ")
					action, _, _ := strings.Cut(after, "\r\n")
					got += action
				}
				if got != c.want {
					t.Errorf("%q, want %q", got, c.want)
				}
				same(t, "on disk", w.queued())
				w.stop()
			})
		})
	}
}

// TestForwarder: a report does not tell where mail is forwarded to.
func TestForwarder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.failWith(fault.Reply(fault.Undeliverable, 550, "5.1.1", "<secret@example.net> unknown"), "mx.example.net")
		w.start()
		e := entry("m1", "secret@example.net")
		e.Recipients[0].Forwarder = address.MustParse("info@example.org")
		w.add(e).Release()
		synctest.Wait()
		reports := w.reported()
		if len(reports) != 1 || strings.Contains(reports[0].text, "secret@") || !strings.Contains(reports[0].text, "Final-Recipient: rfc822; info@example.org\r\n") {
			t.Errorf("%+v", reports)
		}
		w.stop()
	})
}

// TestReportIsDurableFirst: a failed recipient stays until its report is on its way,
// across restarts, and the report keeps its id.
func TestReportIsDurableFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.failWith(nobody, "mx.example.net")
		w.setInject(errors.New("disk full"))
		w.start()
		w.add(entry("m1", "bob@example.net")).Release()
		synctest.Wait()
		same(t, "tried", w.tried(), "+0s example.net: bob@example.net")
		same(t, "on disk", w.queued(), "m1")
		r, err := w.store.read("m1")
		if err != nil || r.Recipients[0].Report != "failed" {
			t.Fatal(r, err)
		}
		id := r.Recipients[0].ReportID
		w.stop()
		w.start()
		time.Sleep(50 * time.Second)
		synctest.Wait()
		w.setInject(nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		same(t, "not tried again", w.tried())
		if reports := w.reported(); len(reports) != 1 || reports[0].env.ID != id {
			t.Errorf("%+v, want %s", reports, id)
		}
		same(t, "on disk", w.queued())
		w.stop()
	})
}
