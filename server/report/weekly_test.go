package report

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"facteur/server/address"
	"facteur/server/fault"
)

func TestMonday(t *testing.T) {
	brussels, err := time.LoadLocation("Europe/Brussels")
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[string]string{
		"2026-11-23T06:00:00Z": "2026-11-23T07:00:00+01:00",
		"2026-11-23T05:59:59Z": "2026-11-16T07:00:00+01:00",
		"2026-11-22T12:00:00Z": "2026-11-16T07:00:00+01:00",
		"2026-10-27T12:00:00Z": "2026-10-26T07:00:00+01:00",
		"2026-10-25T12:00:00Z": "2026-10-19T07:00:00+02:00", // the clock went back that night
		"2026-01-01T00:00:00Z": "2025-12-29T07:00:00+01:00",
	} {
		now, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := monday(now, brussels).Format(time.RFC3339); got != want {
			t.Errorf("%s: %s, want %s", at, got, want)
		}
	}
}

// TestWeekly runs weeks with restarts: each is told of once, on Monday or when the
// server runs again, and not when there is nothing to say.
func TestWeekly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // it begins on Saturday, 2000-01-01
		w := newWorld(t)
		run := func(d time.Duration) int {
			weekly := NewWeekly(WeeklyOptions{
				Store: w.store, Inject: w.inject, Log: w.store.log,
				Complete: func(_ context.Context, d *Digest) { d.Queue = Queue{Waiting: 7, Oldest: time.Now()} },
			}, WeeklySettings{Hostname: "mail.example.org", To: address.MustParse("postmaster@example.org"), Location: time.UTC})
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() {
				defer close(done)
				weekly.Run(ctx)
			}()
			time.Sleep(d)
			cancel()
			<-done
			list := w.take()
			for _, s := range list {
				if s.env.Recipients[0].ForwardPath.String() != "postmaster@example.org" || !s.env.Sender.ReversePath.IsZero() ||
					!bytes.Contains(s.body, []byte("7 recipients in the queue")) || !bytes.Contains(s.body, []byte("Outlook.com")) ||
					strings.Contains(strings.ReplaceAll(string(s.body), "\r\n", ""), "\n") {
					t.Errorf("%+v\n%s", s.env, s.body)
				}
			}
			return len(list)
		}
		report := func(file string) {
			p, err := readFile(bytes.NewReader(sample(t, file)))
			if err != nil {
				t.Fatal(err)
			}
			p.DMARC.Metadata.ID += time.Now().String()
			if err := w.store.Keep(t.Context(), p, Sender{}, ours); err != nil {
				t.Fatal(err)
			}
		}
		check := func(when string, got, want int) {
			t.Helper()
			if got != want {
				t.Errorf("%s: %d mails, want %d", when, got, want)
			}
		}
		day := 24 * time.Hour
		check("first start", run(time.Minute), 0)
		check("a quiet week", run(3*day), 0) // Tuesday
		report("microsoft.xml")
		check("until Sunday", run(5*day), 0)
		check("Monday", run(day+7*time.Hour), 1)
		check("again", run(day), 0)
		report("microsoft.xml")
		time.Sleep(8 * day) // off on Monday
		check("late", run(time.Minute), 1)
		report("microsoft.xml")
		w.refuse = fault.New(fault.Unavailable, "")
		check("the queue is full", run(7*day), 0)
		w.refuse = nil
		check("later", run(2*time.Hour), 1)
	})
}
