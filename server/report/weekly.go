package report

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"facteur/server/address"
	"facteur/server/envelope"
	"facteur/server/message"
)

// WeeklyOptions are the parts of a Weekly.
type WeeklyOptions struct {
	Store *Store
	// Complete adds to a digest what the Store does not know: names, the queue.
	Complete func(context.Context, *Digest)
	// Inject is that of DailyOptions.
	Inject func(context.Context, envelope.Envelope, envelope.Body) error
	Log    *slog.Logger
	Now    func() time.Time // nil: time.Now
}

// WeeklySettings are what a reload changes.
type WeeklySettings struct {
	Hostname string
	To       address.Address // the postmaster
	Location *time.Location
}

// Weekly sends the operator's report: on Monday morning, when there is something to
// say.
type Weekly struct {
	opts WeeklyOptions
	live atomic.Pointer[WeeklySettings]
}

// NewWeekly returns a Weekly with its first settings; Run makes it work.
func NewWeekly(o WeeklyOptions, first WeeklySettings) *Weekly {
	if o.Now == nil {
		o.Now = time.Now
	}
	w := &Weekly{opts: o}
	w.Apply(first)
	return w
}

// Apply changes the settings from the next report on.
func (w *Weekly) Apply(s WeeklySettings) { w.live.Store(&s) }

// weekKey is where the Store remembers the Monday of the last report.
const weekKey = "weekly"

// Run sends the report of each week, also late when the server was off on Monday,
// until ctx ends. The first week is not over on the first start: nothing is sent.
func (w *Weekly) Run(ctx context.Context) {
	for {
		wait := again
		if err := w.send(ctx); err != nil {
			w.opts.Log.Warn("report.weekly", "error", err)
		} else {
			now := w.opts.Now()
			wait = monday(now, w.live.Load().Location).AddDate(0, 0, 7).Sub(now)
		}
		timer := time.NewTimer(min(wait, 24*time.Hour)) // the time zone may change
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// monday returns the last Monday morning before t.
func monday(t time.Time, l *time.Location) time.Time {
	const hour = 7
	t = t.In(l)
	m := time.Date(t.Year(), t.Month(), t.Day()-(int(t.Weekday())+6)%7, hour, 0, 0, 0, l)
	if m.After(t) {
		m = m.AddDate(0, 0, -7)
	}
	return m
}

// send sends the report of the last week, unless that was done.
func (w *Weekly) send(ctx context.Context) error {
	live := w.live.Load()
	last := monday(w.opts.Now(), live.Location)
	done, known, err := w.opts.Store.state(ctx, weekKey)
	if err != nil || known && done >= last.Unix() {
		return err
	}
	if known {
		if err := w.sendWeek(ctx, live, last); err != nil {
			return err
		}
	}
	return w.opts.Store.remember(ctx, weekKey, last.Unix())
}

func (w *Weekly) sendWeek(ctx context.Context, live *WeeklySettings, to time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	d, err := w.opts.Store.Digest(ctx, to.AddDate(0, 0, -7), to)
	if err != nil {
		return err
	}
	w.opts.Complete(ctx, d)
	if d.Quiet() {
		w.opts.Log.Info("report.quiet", "until", to)
		return nil
	}
	id := weekID(live.Hostname, to)
	env := envelope.Envelope{
		ID: id, Received: w.opts.Now(), Sender: envelope.Sender{Body: "8BITMIME"},
		Recipients: []envelope.Recipient{{ForwardPath: live.To, Notify: envelope.NotifyNever}},
	}
	if err := w.opts.Inject(ctx, env, envelope.Bytes(w.format(live, d, id))); err != nil {
		return err
	}
	w.opts.Log.Info("report.told", "id", id, "to", live.To.String())
	return nil
}

// weekID is the id of the report of a week: when it is sent again after a crash, it
// is the same.
func weekID(hostname string, week time.Time) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "weekly %s %d", hostname, week.Unix()))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:10]))
}

// format writes the mail.
func (w *Weekly) format(live *WeeklySettings, d *Digest, id string) []byte {
	var b strings.Builder
	for _, f := range [][2]string{
		{"From", "<" + live.To.String() + ">"},
		{"To", "<" + live.To.String() + ">"},
		{"Subject", d.Subject(live.Hostname)},
		{"Date", w.opts.Now().In(live.Location).Format(message.DateFormat)},
		{"Message-ID", "<" + id + "@" + live.Hostname + ">"},
		{"Auto-Submitted", "auto-generated"},
		{"MIME-Version", "1.0"},
		{"Content-Type", "text/plain; charset=utf-8"},
		{"Content-Transfer-Encoding", "8bit"},
	} {
		if field, err := message.FormatField(f[0], f[1]); err == nil { // all of it is ours
			b.Write(field)
		}
	}
	return []byte(b.String() + "\r\n" + crlf(d.Text(live.Hostname)))
}
