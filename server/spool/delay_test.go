package spool

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"facteur/server/address"
	"facteur/server/envelope"
)

// TestDelayNotice: the sender is told once that it takes long, and then how it ended.
func TestDelayNotice(t *testing.T) {
	for _, c := range []struct {
		name   string
		from   string
		notify envelope.Notify
		after  time.Duration // when it is sent after all
		want   string        // actions of the reports
	}{
		{"default", "alice@example.org", 0, 5 * time.Hour, "delayed"},
		{"default, given up", "alice@example.org", 0, 0, "delayed failed"},
		{"DELAY", "alice@example.org", envelope.NotifyDelay, 0, "delayed"},
		{"DELAY,SUCCESS", "alice@example.org", envelope.NotifyDelay | envelope.NotifySuccess, 5 * time.Hour, "delayed relayed"},
		{"FAILURE", "alice@example.org", envelope.NotifyFailure, 0, "failed"},
		{"NEVER", "alice@example.org", envelope.NotifyNever, 0, ""},
		{"null reverse-path", "", 0, 0, ""},
		{"sent in time", "alice@example.org", 0, 3 * time.Hour, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.failWith(busy, "mx.example.net")
				w.start()
				e := entry("m1", "bob@example.net", "carol@example.net")
				e.Envelope.Sender.ReversePath = address.Address{}
				if c.from != "" {
					e.Envelope.Sender.ReversePath = address.MustParse(c.from)
				}
				for i := range e.Recipients {
					e.Recipients[i].Notify = c.notify
				}
				w.add(e).Release()
				if c.after != 0 {
					time.Sleep(c.after)
					w.setAnswer(nil)
				}
				time.Sleep(5*24*time.Hour + time.Hour - c.after)
				synctest.Wait()
				var got []string
				for _, r := range w.reported() {
					for _, line := range []string{"Final-Recipient: rfc822; bob@example.net", "Final-Recipient: rfc822; carol@example.net"} {
						if !strings.Contains(r.text, line+"\r\n") { // one report tells of both
							t.Errorf("no %q in %s", line, r.text)
						}
					}
					_, after, _ := strings.Cut(r.text, "\r\nAction: ")
					action, _, _ := strings.Cut(after, "\r\n")
					got = append(got, action)
					if action == "delayed" {
						until := w.began.AddDate(0, 0, 5).Format("Mon, 02 Jan 2006 15:04:05 -0700")
						for _, line := range []string{"Status: 4.2.1\r\n", "Will-Retry-Until: " + until + "\r\n"} {
							if !strings.Contains(r.text, line) {
								t.Errorf("no %q in %s", line, r.text)
							}
						}
						if strings.Contains(r.text, "given up") || !r.env.Received.Equal(w.began.Add(4*time.Hour)) {
							t.Errorf("%v: %s", r.env.Received, r.text)
						}
					}
				}
				if strings.Join(got, " ") != c.want {
					t.Errorf("%q, want %q", got, c.want)
				}
				same(t, "on disk", w.queued())
				w.stop()
			})
		})
	}
}

// TestDelayOvertaken: a notice of delay that could not be sent yet is not sent when the
// message has left meanwhile.
func TestDelayOvertaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.failWith(busy, "mx.example.net")
		w.setInject(busy)
		w.start()
		w.add(entry("m1", "bob@example.net")).Release()
		time.Sleep(5 * time.Hour)
		w.setAnswer(nil)
		if err := w.Retry("m1", Match{}); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		w.setInject(nil)
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if got := w.reported(); len(got) != 0 {
			t.Errorf("%+v", got)
		}
		same(t, "on disk", w.queued())
		w.stop()
	})
}

// TestTooManyReports: a reverse-path gets 20 reports an hour; our own users get all,
// the rest later.
func TestTooManyReports(t *testing.T) {
	for _, c := range []struct {
		own               bool
		atOnce, afterHour int
	}{{false, 20, 20}, {true, 100, 150}} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.failWith(nobody, "mx.example.net")
			w.start()
			for i := range 150 {
				e := entry(fmt.Sprintf("m%d", i), "bob@example.net")
				if c.own {
					e.Envelope.Session.Account = address.MustParse("alice@example.org")
				}
				w.add(e).Release()
			}
			synctest.Wait()
			n := len(w.reported())
			if n != c.atOnce || w.Len() != c.afterHour-n {
				t.Errorf("own %v: %d reports, %d entries", c.own, n, w.Len())
			}
			other := entry("other", "bob@example.net") // counted by itself
			w.add(other).Release()
			if !c.own {
				other = entry("own", "bob@example.net")
				other.Envelope.Session.Account = address.MustParse("alice@example.org")
				w.add(other).Release()
			}
			synctest.Wait()
			if got := len(w.reported()); got != 1 {
				t.Errorf("own %v: %d more reports", c.own, got)
			}
			time.Sleep(time.Hour)
			synctest.Wait()
			if n += len(w.reported()); n != c.afterHour || w.Len() != 0 {
				t.Errorf("own %v: %d reports after an hour, %d entries", c.own, n, w.Len())
			}
			w.stop()
		})
	}
}

// TestRequireTLSReport: what was to travel under TLS alone comes back so, and without
// its body (RFC 8689 5).
func TestRequireTLSReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.failWith(nobody, "mx.example.net")
		w.start()
		e := entry("m1", "bob@example.net")
		e.Envelope.Sender.RequireTLS, e.Envelope.Sender.Ret = true, "FULL"
		w.add(e).Release()
		synctest.Wait()
		got := w.reported()
		if len(got) != 1 || !got[0].env.Sender.RequireTLS || strings.Contains(got[0].text, "At noon?") || !strings.Contains(got[0].text, "Subject: Lunch\r\n") {
			t.Errorf("%+v", got)
		}
		w.stop()
	})
}

// TestCold: a domain of which no server answers does not take up the places of others,
// and is asked again after a while.
func TestCold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.failWith(busy, "") // nobody answered
		w.start()
		for i := range 20 {
			w.add(entry(fmt.Sprintf("m%02d", i), "bob@example.net")).Release()
			synctest.Wait()
		}
		if got := w.tried(); len(got) != coldAfter {
			t.Errorf("%d attempts", len(got))
		}
		if c := w.Counts(); c.Entries != 20 {
			t.Errorf("%+v", c)
		}
		last := w.List()[19].Recipients[0]
		if last.Attempts != 0 || !strings.Contains(last.Words, "as just before") || !last.Next.Equal(w.began.Add(5*time.Minute)) {
			t.Errorf("%+v", last)
		}
		// The operator knows better.
		if err := w.Retry("m19", Match{}); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		same(t, "retried", w.tried(), "+0s example.net: bob@example.net")
		w.setAnswer(nil)
		time.Sleep(30 * time.Minute)
		synctest.Wait()
		if got := w.tried(); len(got) != 20 {
			t.Errorf("%d attempts: %q", len(got), got)
		}
		same(t, "on disk", w.queued())
		w.stop()
	})
}
