package server

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"facteur/server/deliver"
	"facteur/server/fault"
	"facteur/server/mailbox"
)

// move is where messages of a folder go, many in one step. To nowhere: they are
// expunged, and can be brought back (facteur undelete).
type move struct{ to string }

// maxMoved bounds how many messages wait to be moved.
const maxMoved = 128

// apply flags and copies one message, and has it moved.
func (p *replay) apply(from *mailbox.Mailbox, rec *mailbox.Record, c change) error {
	if !c.acts() {
		return nil
	}
	if err := p.setFlags(from, rec.UID, c); err != nil {
		return err
	}
	targets := c.to
	if !c.stays && !c.deleted {
		targets = c.to[1:] // copies first: after the move the UID is another
	}
	for _, folder := range targets {
		if err := p.copyTo(from, rec, folder, c); err != nil {
			return err
		}
	}
	p.done++
	to := move{}
	switch {
	case c.stays:
		return nil
	case !c.deleted:
		if err := p.create(c.to[0], c); err != nil {
			return err
		}
		to.to = c.to[0]
	}
	p.moves[to] = append(p.moves[to], rec.UID)
	if len(p.moves[to]) >= maxMoved {
		return p.carry(from, to)
	}
	return nil
}

// acts tells whether there is something to do.
func (c change) acts() bool { return !c.stays || len(c.to)+len(c.added)+len(c.removed) > 0 }

func (p *replay) setFlags(box *mailbox.Mailbox, uid mailbox.UID, c change) error {
	for _, step := range []struct {
		op    mailbox.FlagOp
		flags []string
	}{{mailbox.AddFlags, c.added}, {mailbox.RemoveFlags, c.removed}} {
		if len(step.flags) == 0 {
			continue
		}
		_, err := box.SetFlags(mailbox.StoreOptions{UIDs: []mailbox.UID{uid}, Op: step.op, Flags: step.flags})
		if fault.Is(err, fault.NotPossible) { // no room for a keyword: as at delivery, mail is worth more
			p.say(fmt.Sprintf("%s/%d: the flags can't be set: %v", box.Name(), uid, err))
		} else if err != nil {
			return err
		}
	}
	return nil
}

// create makes a folder that the script wants made.
func (p *replay) create(folder string, c change) error {
	if !slices.Contains(c.create, folder) {
		return nil
	}
	if err := p.home.Create(folder, ""); err != nil && !fault.Is(err, fault.Exists) {
		return fmt.Errorf("making %s: %w", folder, err)
	}
	return nil
}

// copyTo copies one message, when there is room for it.
func (p *replay) copyTo(from *mailbox.Mailbox, rec *mailbox.Record, folder string, c change) error {
	content, err := from.Open(rec.UID)
	if err != nil {
		return err
	}
	size := content.Size()
	content.Close()
	if err := deliver.CheckQuota(p.home, p.directory, p.account, size); err != nil {
		return err
	}
	if err := p.create(folder, c); err != nil {
		return err
	}
	to, err := p.home.Mailbox(folder)
	if err != nil {
		return err
	}
	_, err = from.Copy([]mailbox.UID{rec.UID}, to, nil)
	return err
}

// flush moves what waits.
func (p *replay) flush(from *mailbox.Mailbox) error {
	var errs []error
	for _, m := range slices.Collect(maps.Keys(p.moves)) {
		errs = append(errs, p.carry(from, m))
	}
	return errors.Join(errs...)
}

// carry moves what waits to go to one place.
func (p *replay) carry(from *mailbox.Mailbox, m move) error {
	uids := p.moves[m]
	delete(p.moves, m)
	if m.to == "" {
		_, err := from.Expunge(uids)
		return err
	}
	to, err := p.home.Mailbox(m.to)
	if err != nil {
		return err
	}
	_, err = from.Move(uids, to, nil)
	return err
}
