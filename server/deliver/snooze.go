package deliver

import (
	"slices"
	"time"

	"facteur/server/fault"
	"facteur/server/mailbox"
	"facteur/server/schedule"
)

// snoozeInto is the filing of a message that comes back later (package schedule).
func snoozeInto(now, until time.Time) filing {
	return filing{
		folder: schedule.SnoozeFolder, create: true, flags: []string{schedule.SnoozeKeyword},
		until: schedule.SnoozeUntil(now, until),
	}
}

// unsnooze makes a plain filing of it, for a folder from which nothing comes back.
func (f *filing) unsnooze() {
	if f.until.IsZero() {
		return
	}
	f.until = time.Time{}
	f.flags = slices.DeleteFunc(slices.Clone(f.flags), func(s string) bool { return s == schedule.SnoozeKeyword })
}

// addSnoozed puts the message into the folder with a time of its own: the other copies
// share one file, and its time with it. Without the keyword it would never come back, so
// where that can't be it goes to INBOX.
func (t *transaction) addSnoozed(p *boxPlan, d *draft, f *filed, opt mailbox.AddOptions) (mailbox.UID, error) {
	own, err := t.write(d.prefix, d.body)
	if err != nil {
		return 0, err
	}
	defer own.Discard()
	opt.InternalDate, opt.Last = f.until, true
	uid, err := f.box.Add(own, opt)
	if !fault.Is(err, fault.NotPossible) {
		return uid, err
	}
	t.opts.Log.Warn("deliver.snooze", "id", t.msg.Envelope.ID, "box", p.address.String(), "error", err, "result", "kept in INBOX")
	if f.box, err = p.home.Mailbox(inbox); err != nil {
		return 0, err
	}
	return f.box.Add(d.file, mailbox.AddOptions{Unique: opt.Unique, Summary: opt.Summary})
}
