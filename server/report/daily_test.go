package report

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"facteur/server/envelope"
	"facteur/server/fault"
)

// summary tells what was sent: kinds, recipients, and ids.
func summary(list []sent) (texts []string, ids map[string]int) {
	ids = make(map[string]int)
	for _, s := range list {
		kind := "dmarc"
		if strings.Contains(string(s.body), "TLS-Report-Domain: ") {
			kind = "tls"
		}
		if strings.Contains(string(s.body), "Report-Size: ") {
			kind += " too large"
		}
		for _, r := range s.env.Recipients {
			kind += " " + r.ForwardPath.String()
		}
		texts = append(texts, kind)
		ids[s.env.ID]++
	}
	return texts, ids
}

// TestDaily runs some days with restarts under a clock of their own: what was
// collected is sent once, on the next day, also when the server was off, or the DNS
// or the queue failed.
func TestDaily(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // it begins on 2000-01-01 at midnight UTC
		w := newWorld(t)
		w.txt["_smtp._tls.example.net"] = []string{"v=TLSRPTv1; rua=mailto:tls@example.net,https://example.net/r"}
		run := func(d time.Duration) {
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() {
				defer close(done)
				w.daily.Run(ctx)
			}()
			time.Sleep(d)
			cancel()
			<-done
		}
		collect := func() {
			for _, r := range results() {
				r.At = time.Time{}
				w.store.AddDMARC(r)
			}
			for _, r := range sessions() {
				r.At = time.Time{}
				w.store.AddTLS(r)
			}
		}
		check := func(when string, want ...string) {
			t.Helper()
			got, ids := summary(w.take())
			if strings.Join(got, ", ") != strings.Join(want, ", ") || len(ids) != len(got) {
				t.Errorf("%s: %q %v", when, got, ids)
			}
		}
		both := []string{"dmarc dmarc@example.net", "tls tls@example.net"}
		time.Sleep(5 * time.Hour)
		collect()
		run(18 * time.Hour)
		check("the same day")
		run(5 * time.Hour) // until 4:00 of the second day
		check("the next day", both...)
		collect()
		w.reopen()
		run(10 * time.Hour)
		check("after a restart")

		time.Sleep(34 * time.Hour) // off until midnight of the fourth day
		run(time.Minute)           // not yet
		check("just after midnight")
		run(4 * time.Hour)
		check("after being off", both...)

		collect()
		w.broken["_smtp._tls.example.net"] = true
		run(24 * time.Hour)
		check("DNS fails", both[0])
		delete(w.broken, "_smtp._tls.example.net")
		run(2 * time.Hour)
		check("DNS works again", both[1])

		collect()
		w.refuse = fault.New(fault.Unavailable, "")
		run(24 * time.Hour)
		w.refuse = nil
		run(2 * time.Hour)
		check("the queue was full for a while", both...)

		collect()
		w.refuse = fault.New(fault.NoSuchAddress, "")
		run(24 * time.Hour)
		w.refuse = nil
		run(2 * time.Hour)
		check("refused for good")

		collect()
		w.broken["_smtp._tls.example.net"] = true
		run(10 * 24 * time.Hour)
		w.broken["_smtp._tls.example.net"] = false
		run(2 * time.Hour)
		check("too old by then", both[0])
	})
}

// TestInterrupted: an attempt that was cut off between sending and remembering is
// repeated under the same id.
func TestInterrupted(t *testing.T) {
	w := newWorld(t)
	w.set(midday)
	w.store.AddDMARC(results()[0])
	w.reopen()
	w.set(midday.AddDate(0, 0, 1))
	ctx, cancel := context.WithCancel(t.Context())
	w.daily.opts.Inject = func(ctx context.Context, env envelope.Envelope, b envelope.Body) error {
		defer cancel() // the end of the server
		return w.inject(ctx, env, b)
	}
	if w.daily.Send(ctx) {
		t.Error("all is done")
	}
	w.reopen()
	for range 2 { // the second time there is nothing left
		if !w.daily.Send(t.Context()) {
			t.Error("not all is done")
		}
	}
	if got, ids := summary(w.take()); len(got) != 2 || len(ids) != 1 {
		t.Errorf("%q %v", got, ids)
	}
}

// TestDestinations: who gets a report of a size.
func TestDestinations(t *testing.T) {
	for uris, want := range map[string]string{
		"mailto:a@example.net":                             "dmarc a@example.net",
		"mailto:a@example.net,mailto:b@example.net!1k":     "dmarc a@example.net",
		"mailto:a@example.net!100,mailto:b@example.net!1k": "dmarc too large a@example.net b@example.net",
		"mailto:a@example.net!1m,mailto:b@sub.example.net": "dmarc a@example.net b@sub.example.net",
		"mailto:a@other.example":                           "",
		"mailto:a@other.example,mailto:b@example.net":      "dmarc b@example.net",
		"mailto:a@thanks.example":                          "dmarc a@thanks.example",
		"https://example.net/":                             "",
		"":                                                 "",
		"mailto:é@example.net":                             "",
		"mailto:é@example.net,mailto:b@example.net!10m":    "dmarc b@example.net",
		"mailto:1@example.net,mailto:2@example.net,mailto:3@example.net,mailto:4@example.net,mailto:5@example.net,mailto:6@example.net": "dmarc 1@example.net 2@example.net 3@example.net 4@example.net 5@example.net",
	} {
		w := newWorld(t)
		w.txt["example.net._report._dmarc.thanks.example"] = []string{"v=DMARC1;"}
		w.set(midday)
		r := results()[0]
		r.Policy.RUA = strings.Split(uris, ",")
		w.store.AddDMARC(r)
		w.reopen()
		w.set(midday.AddDate(0, 0, 1))
		if !w.daily.Send(t.Context()) {
			t.Error(uris, "is not done")
		}
		if got, _ := summary(w.take()); strings.Join(got, ", ") != want {
			t.Errorf("%s: %q", uris, got)
		}
	}
}

// TestLettersOnly: of days on which nothing but reports went to a domain no report is
// made, unless they had trouble.
func TestLettersOnly(t *testing.T) {
	w := newWorld(t)
	w.txt["_smtp._tls.example.net"] = []string{"v=TLSRPTv1; rua=mailto:tls@example.net"}
	session := TLSResult{Domain: "example.net", PolicyType: "no-policy-found"}
	failed := session
	failed.Failure = "starttls-not-supported"
	for day, c := range []struct {
		sessions []TLSResult
		sent     int
	}{
		{[]TLSResult{session, session}, 1}, // mail, and so a report on the next day
		{[]TLSResult{session}, 0},          // that report
		{nil, 0},
		{[]TLSResult{session, failed}, 1},
		{[]TLSResult{failed}, 1}, // the report had trouble
		{[]TLSResult{session, session}, 1},
	} {
		now := midday.AddDate(0, 0, day)
		w.set(now)
		for _, r := range c.sessions {
			w.store.AddTLS(r)
		}
		w.reopen()
		w.set(now.Add(24 * time.Hour))
		w.daily.Send(t.Context())
		if got, _ := summary(w.take()); len(got) != c.sent {
			t.Errorf("day %d: %q", day, got)
		}
	}
}
