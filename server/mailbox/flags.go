package mailbox

import (
	"cmp"
	"errors"
	"io/fs"
	"slices"

	"facteur/server/fault"
	"facteur/server/maildir"
)

// chunkSize is the number of messages that are changed in one go, with the
// mailbox locked.
const chunkSize = 128

// SetFlags changes flags. It returns the messages as they are then, by UID;
// UIDs that are gone are left out. It is durable when it returns.
func (m *Mailbox) SetFlags(by *View, uids []UID, op FlagOp, flags []string) ([]Message, error) {
	bits, err := m.parseFlags(flags, op != RemoveFlags)
	if err != nil {
		return nil, err
	}
	var changed []Message
	err = m.eachChunk(uids, func(chunk []UID) (lost []UID, err error) {
		for _, uid := range chunk {
			i, ok := m.list.find(uid)
			if !ok {
				continue
			}
			err := m.setFlags(i, apply(m.list.recs[i].flags, op, bits, m.known()), by)
			if errors.Is(err, fs.ErrNotExist) {
				lost = m.lose(lost, i)
			} else if err != nil {
				return lost, err
			} else {
				changed = append(changed, m.message(&m.list.recs[i]))
			}
		}
		return lost, nil
	})
	if serr := m.Sync(); err == nil {
		err = serr
	}
	slices.SortFunc(changed, func(a, b Message) int { return cmp.Compare(a.UID, b.UID) })
	return changed, err
}

// apply returns the flags after an operation. A letter without a name, which
// no client can know of, stays.
func apply(old maildir.Flags, op FlagOp, bits, known maildir.Flags) maildir.Flags {
	switch op {
	case AddFlags:
		return old | bits
	case RemoveFlags:
		return old &^ bits
	}
	return old&^known | bits
}

// lose adds a message whose file was not there to those to look for, unless
// the last scan did not find it either. With mu held.
func (m *Mailbox) lose(lost []UID, i int) []UID {
	if m.list.recs[i].missing {
		return lost
	}
	m.stamp = maildir.Stamp{} // another program renamed or removed it
	return append(lost, m.list.recs[i].uid)
}

// attempts is how often something is tried while another program renames files.
const attempts = 4

// errBusy tells that it was tried in vain.
var errBusy = fault.New(fault.Unavailable, "Another program is at work in the mailbox, try again later")

// eachChunk calls f for the UIDs, a chunk at a time, with mu held and a list.
// f returns the UIDs whose file was not where it should be; it is called again
// with those, after a scan.
func (m *Mailbox) eachChunk(uids []UID, f func(chunk []UID) (lost []UID, err error)) error {
	for range attempts {
		var lost []UID
		for chunk := range slices.Chunk(uids, chunkSize) {
			if err := m.lockList(); err != nil {
				return err
			}
			before := m.stampNow()
			gone, err := f(chunk)
			m.stampOwn(before)
			m.wake()
			m.mu.Unlock()
			if err != nil {
				return diskFault(err)
			}
			lost = append(lost, gone...)
		}
		if len(lost) == 0 {
			return nil
		}
		if err := m.rescan(); err != nil {
			return diskFault(err)
		}
		uids = lost
	}
	return errBusy
}

// setFlags gives a message other flags and tells the views. With mu held.
func (m *Mailbox) setFlags(i int, flags maildir.Flags, by *View) error {
	if m.list.recs[i].flags == flags {
		return nil
	}
	if err := m.renameFlags(i, flags); err != nil {
		return err
	}
	m.emit(Flags, &m.list.recs[i], by, nil)
	return nil
}

// renameFlags gives the file of a message a name in cur with flags. With mu held.
func (m *Mailbox) renameFlags(i int, flags maildir.Flags) error {
	r := m.list.recs[i]
	old := m.path(r.inNew, r.name)
	wasNew := r.inNew
	r.name, r.inNew, r.recent, r.flags = maildir.WithFlags(r.name, flags), false, false, flags
	if err := m.store.opt.FS.RenameNoReplace(old, m.path(false, r.name)); err != nil {
		return err
	}
	m.list.change(i, r)
	m.touch(r.uid)
	m.soil(false)
	if wasNew {
		m.soil(true)
	}
	return nil
}
