package mailbox

import (
	"errors"
	"io/fs"
	"slices"

	"facteur/server/maildir"
	"facteur/server/msgindex"
	"facteur/server/safefile"
)

// Expunge removes messages and returns the UIDs of those that were there,
// ascending. It is durable when it returns. What Options.Bins say may be
// brought back by Store.Undelete.
func (m *Mailbox) Expunge(uids []UID) ([]UID, error) {
	away, err := m.home.awayDir(m.at.Load().base)
	if err != nil {
		return nil, safefile.Fault(err)
	}
	return m.expunge(uids, away)
}

// expunge moves messages to a directory, or removes them for "".
func (m *Mailbox) expunge(uids []UID, away string) ([]UID, error) {
	e := expunging{m: m}
	if away != "" {
		e.away = safefile.OpenDir(m.store.opt.FS, away)
		defer e.away.Close()
	}
	err := m.eachChunk(sorted(uids), e.chunk)
	if away != "" && len(e.gone) > 0 {
		// First there: a message must not be in neither.
		if serr := m.store.syncer.Sync(away); err == nil {
			err = safefile.Fault(serr)
		}
		m.home.bin.Grew(e.octets)
	}
	if serr := m.Sync(); err == nil {
		err = serr
	}
	slices.Sort(e.gone)
	return e.gone, err
}

// expunging is an Expunge that runs.
type expunging struct {
	m      *Mailbox
	away   *safefile.Dir // nil: they are removed
	gone   []UID
	octets int64
}

func (e *expunging) chunk(c *change, uids []UID) (lost []UID, err error) {
	var places []int
	for _, uid := range uids {
		i, ok := c.snap.Find(uid)
		if !ok {
			continue
		}
		err = e.one(c, c.snap.At(i))
		if notThere(err) {
			lost, err = c.lose(lost, i), nil
			continue
		}
		if err != nil {
			break
		}
		places = append(places, i)
		e.gone = append(e.gone, uid)
	}
	c.remove(places...)
	return lost, err
}

// one removes the file of a message.
func (e *expunging) one(c *change, r *Record) error {
	name, ok := c.fileName(r)
	if !ok {
		return errNoName
	}
	inNew := r.Has(msgindex.InNew)
	var err error
	if e.away == nil {
		err = c.dir(inNew).Remove(name)
	} else {
		err = moveAway(e.m.store, c.dir(inNew), e.away, name)
	}
	if err != nil {
		return err
	}
	c.soil(inNew)
	e.octets += r.Size()
	return nil
}

// moveAway renames a file into a directory of deleted messages.
func moveAway(s *Store, from, away *safefile.Dir, name string) error {
	err := from.RenameNoReplace(name, away, name)
	if errors.Is(err, fs.ErrExist) { // a copy of another program
		n := maildir.ParseName(name)
		n.Unique, n.Other = s.newUnique(), ""
		err = from.RenameNoReplace(name, away, n.Format(maildir.Cur))
	}
	return err
}
