package trial

import (
	"slices"
	"time"

	"facteur/server/address"
	"facteur/server/hook"
	"facteur/server/ical"
)

// Box is a mailbox as somebody says that it is (hook.Box).
type Box struct {
	Of       address.Address
	Own      []address.Address // Addresses
	Used     int64             // octets
	Max      int64             // 0: no limit
	Names    []string          // of the folders
	Counts   map[string]map[string]int
	Contacts map[address.Key]hook.Contact
	Threads  []string       // Message-IDs that the box sent
	Taken    []hook.Busy    // when its owner is busy
	Events   []*ical.Object // in its calendars, beside that
	Floating *time.Location // of times of events without a zone; nil: UTC
}

var _ hook.Box = (*Box)(nil)

// NewBox returns the mailbox of a new account.
func NewBox(a address.Address) *Box {
	return &Box{
		Of: a, Own: []address.Address{a},
		Names: []string{"INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash"},
	}
}

// Address is that of hook.Box.
func (b *Box) Address() address.Address { return b.Of }

// Addresses is that of hook.Box.
func (b *Box) Addresses() []address.Address { return b.Own }

// Quota is that of hook.Box.
func (b *Box) Quota() (used, limit int64) { return b.Used, b.Max }

// Folders is that of hook.Box.
func (b *Box) Folders() []string { return b.Names }

// Exists is that of hook.Box.
func (b *Box) Exists(folder string) bool { return slices.Contains(b.Names, folder) }

// Count returns what was said for the same query, or 0.
func (b *Box) Count(folder, query string) (int, error) { return b.Counts[folder][query], nil }

// Contact is that of hook.Box.
func (b *Box) Contact(a address.Address) hook.Contact { return b.Contacts[a.Key()] }

// ThreadKnown is that of hook.Box.
func (b *Box) ThreadKnown(ids []string) bool {
	return slices.ContainsFunc(ids, func(id string) bool { return slices.Contains(b.Threads, id) })
}

// Busy is that of hook.Box.
func (b *Box) Busy(from, to time.Time, except string) ([]hook.Busy, error) {
	list := make([]ical.BusyPeriod, 0, len(b.Taken))
	for _, t := range b.Taken {
		start, end := t.Start, t.End
		if start.Before(from) {
			start = from
		}
		if end.After(to) {
			end = to
		}
		if start.Before(end) {
			list = append(list, ical.BusyPeriod{Start: start, End: end, Type: busyType(t.Kind)})
		}
	}
	for _, o := range b.Events {
		if o.UID == except {
			continue
		}
		more, _ := o.Busy(ical.BusyQuery{Range: ical.TimeRange{From: from, To: to}, Floating: b.Floating})
		list = append(list, more...)
	}
	var out []hook.Busy
	for _, p := range ical.MergeBusy(list) {
		out = append(out, hook.Busy{Start: p.Start, End: p.End, Kind: busyKinds[p.Type]})
	}
	return out, nil
}

var busyKinds = map[ical.BusyType]hook.BusyKind{
	ical.Busy: hook.Taken, ical.BusyTentative: hook.Tentative, ical.BusyUnavailable: hook.Unavailable,
}

func busyType(k hook.BusyKind) ical.BusyType {
	for t, kind := range busyKinds {
		if kind == k {
			return t
		}
	}
	return ical.Busy
}
