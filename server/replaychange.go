package server

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"facteur/server/fault"
	"facteur/server/hook"
	"facteur/server/mailbox"
	"facteur/server/message"
	"facteur/server/trial"
)

// row is one line of the table.
type row struct {
	from   string
	uid    mailbox.UID
	date   time.Time
	header *message.Header
}

func (r row) with(change string) string {
	from := "<>"
	if authors, _ := r.header.Addresses("From"); len(authors) > 0 {
		from = authors[0].String()
	}
	return fmt.Sprintf("%-24s %s  %-28s  %-36s  %s", cut(fmt.Sprintf("%s/%d", r.from, r.uid), 24), r.date.Format(time.DateOnly),
		cut(from, 28), cut(r.header.Subject(), 36), shown(change))
}

// cut shortens a text of one line for a column.
func cut(s string, n int) string {
	s = strings.ReplaceAll(shown(s), "\t", " ")
	if runes := []rune(s); len(runes) > n {
		return string(runes[:n-1]) + "…"
	}
	return s
}

// change is what would differ for a message.
type change struct {
	from    string
	to      []string // without from; the message moves to the first unless it stays
	stays   bool
	create  []string
	added   []string
	removed []string
	deleted bool
	others  []string // what is never done here
}

func (c change) none() bool {
	return c.stays && len(c.to)+len(c.added)+len(c.removed)+len(c.others) == 0 && !c.deleted
}

func (c change) String() string {
	var parts []string
	switch {
	case c.deleted:
		parts = append(parts, c.from+" -> deleted")
	case !c.stays:
		parts = append(parts, c.from+" -> "+strings.Join(c.to, ", "))
	case len(c.to) > 0:
		parts = append(parts, "a copy in "+strings.Join(c.to, ", "))
	}
	for _, f := range c.added {
		parts = append(parts, "+"+f)
	}
	for _, f := range c.removed {
		parts = append(parts, "-"+f)
	}
	for _, other := range c.others {
		parts = append(parts, other+" (never done here)")
	}
	return strings.Join(parts, "; ")
}

// compare tells what the actions would change.
func (p *replay) compare(from *mailbox.Mailbox, rec *mailbox.Record, actions []hook.Action) (change, error) {
	kinds := make(map[hook.Kind]bool)
	for _, a := range actions {
		kinds[a.Kind] = true
	}
	keepIn := from.Name() // nothing said: it stays
	if kinds[hook.Keep] {
		keepIn = trial.Inbox
	}
	place := trial.PlaceOf(actions, keepIn)
	c := change{from: from.Name()}
	for _, a := range place.Others {
		c.others = append(c.others, a.String())
	}
	if len(place.Folders) == 0 {
		// What was sent on or refused instead is not here to be lost.
		c.deleted = kinds[hook.Discard] && !kinds[hook.Redirect] && !kinds[hook.Reject] && !kinds[hook.Snooze]
		c.stays = !c.deleted
		return c, nil
	}
	var flags []string
	for _, folder := range place.Folders {
		flags = append(flags, place.Added[folder]...)
		name, there := p.folderName(folder)
		if !there && slices.Contains(place.Create, folder) {
			c.create, there = append(c.create, folder), true
		}
		if !there {
			name = trial.Inbox // as at delivery
		}
		if name == from.Name() {
			c.stays = true
		} else if !slices.Contains(c.to, name) {
			c.to = append(c.to, name)
		}
	}
	c.flags(from.Flags(rec), flags, place.Removed)
	if c.stays && len(c.to) > 0 {
		return p.withoutCopied(c, from, rec)
	}
	return c, nil
}

// folderName returns the name of a folder as the mailbox has it.
func (p *replay) folderName(name string) (string, bool) {
	box, err := p.home.Mailbox(name)
	if err != nil {
		return name, false
	}
	return box.Name(), true
}

// flags notes those that are to be added and removed, of those that the message
// has.
func (c *change) flags(have, add, remove []string) {
	has := func(list []string, flag string) bool {
		return slices.ContainsFunc(list, func(f string) bool { return strings.EqualFold(f, flag) })
	}
	for _, f := range add {
		if !has(have, f) && !has(c.added, f) {
			c.added = append(c.added, f)
		}
	}
	for _, f := range remove {
		if has(have, f) && !has(c.removed, f) && !has(add, f) {
			c.removed = append(c.removed, f)
		}
	}
}

// withoutCopied leaves out the folders that have a copy already.
func (p *replay) withoutCopied(c change, from *mailbox.Mailbox, rec *mailbox.Record) (change, error) {
	id, err := idOf(from, rec)
	if err != nil {
		return c, err
	}
	var missing []string
	for _, folder := range c.to {
		have, err := p.idsIn(folder)
		if err != nil {
			return c, err
		}
		if !have[id] {
			missing = append(missing, folder)
		}
	}
	c.to = missing
	return c, nil
}

// idOf returns what is the same for all copies of a message.
func idOf(box *mailbox.Mailbox, rec *mailbox.Record) ([16]byte, error) {
	e := box.Entries()
	defer e.Close()
	summary, err := e.Summary(rec)
	if err != nil {
		return [16]byte{}, err
	}
	return summary.EmailID, nil
}

// idsIn returns which messages are in a folder, as it was when it was first asked for.
func (p *replay) idsIn(folder string) (map[[16]byte]bool, error) {
	if ids, ok := p.copied[folder]; ok {
		return ids, nil
	}
	ids := make(map[[16]byte]bool)
	box, err := p.home.Mailbox(folder)
	if fault.Is(err, fault.NotFound) {
		p.copied[folder] = ids
		return ids, nil
	}
	if err != nil {
		return nil, err
	}
	snap, err := box.Snapshot()
	if err != nil {
		return nil, err
	}
	e := box.Entries()
	defer e.Close()
	for _, rec := range snap.Range(0, snap.Len()) {
		if summary, err := e.Summary(rec); err == nil {
			ids[summary.EmailID] = true
		} else if !fault.Is(err, fault.NotFound) {
			return nil, err
		}
	}
	p.copied[folder] = ids
	return ids, nil
}
