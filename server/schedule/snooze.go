package schedule

import (
	"slices"
	"strings"
	"time"

	"facteur/server/fault"
	"facteur/server/mailbox"
)

// What makes a message a snoozed one, beside its INTERNALDATE. Who moves it to another
// folder or removes the keyword ends the snooze.
const (
	SnoozeFolder  = "Snoozed"
	SnoozeKeyword = "$Snoozed"
)

// Snooze bounds: the INTERNALDATE of a message has 32 bits.
const maxSnooze = 10 * 365 * 24 * time.Hour

// SnoozeUntil returns the time for which a message is put off: that which was asked for,
// to the second, at most 10 years from now.
func SnoozeUntil(now, until time.Time) time.Time {
	if last := now.Add(maxSnooze); until.After(last) {
		until = last
	}
	return until.Truncate(time.Second)
}

// Wake brings the messages whose time has come back to INBOX, unseen and with their
// INTERNALDATE: the time at which they came back. It returns how many those are, and when
// the next one is due; zero: none waits. A home without the folder has none.
func Wake(home *mailbox.Home, now time.Time) (woken int, next time.Time, err error) {
	folder, err := home.Mailbox(SnoozeFolder)
	if fault.Is(err, fault.NotFound) {
		return 0, time.Time{}, nil
	}
	if err != nil {
		return 0, time.Time{}, err
	}
	due, next, err := snoozed(folder, now)
	if err != nil || len(due) == 0 {
		return 0, next, err
	}
	inbox, err := home.Mailbox("INBOX")
	if err != nil {
		return 0, next, err
	}
	pairs, err := folder.Move(due, inbox, func(flag string) bool {
		return !strings.EqualFold(flag, SnoozeKeyword) && !strings.EqualFold(flag, `\Seen`)
	})
	return len(pairs), next, err
}

// snoozed looks for the snoozed messages of a folder: those that are due, and the time of
// the first that is not.
func snoozed(folder *mailbox.Mailbox, now time.Time) (due []mailbox.UID, next time.Time, err error) {
	folder.Poll()
	snap, err := folder.Snapshot()
	if err != nil {
		return nil, time.Time{}, err
	}
	for _, r := range snap.Range(0, snap.Len()) {
		if !slices.ContainsFunc(folder.Flags(r), func(f string) bool { return strings.EqualFold(f, SnoozeKeyword) }) {
			continue
		}
		at := time.Unix(int64(r.InternalDate), 0)
		switch {
		case !at.After(now):
			due = append(due, r.UID)
		case next.IsZero() || at.Before(next):
			next = at
		}
	}
	return due, next, nil
}
