package mailbox

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"facteur/server/maildir"
)

// settleStrays gives files of other programs a UID, in the order of the times
// in their names, and removes or adopts twins. With scanMu held.
func (m *Mailbox) settleStrays(strays []stray, twins []twin) {
	if len(strays) == 0 && len(twins) == 0 {
		return
	}
	for _, t := range twins {
		more, err := m.settleTwin(t)
		if err != nil {
			m.store.opt.Log.Warn("mailbox.twin", "folder", m.Name(), "file", t.other.name, "err", err)
		}
		strays = append(strays, more...)
	}
	slices.SortFunc(strays, func(a, b stray) int {
		return cmp.Or(cmp.Compare(nameTime(a.name), nameTime(b.name)), cmp.Compare(a.name, b.name))
	})
	for _, s := range strays {
		err := m.adopt(s)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it has another name by now: the next scan finds it
		}
		if err != nil {
			m.store.opt.Log.Warn("mailbox.adopt", "folder", m.Name(), "file", s.name, "err", err)
		}
	}
	if err := m.Sync(); err != nil {
		m.store.opt.Log.Warn("mailbox.adopt", "folder", m.Name(), "err", err)
	}
}

// nameTime returns the number that begins a file name: the time of arrival.
func nameTime(file string) int64 {
	digits, _, _ := strings.Cut(file, ".")
	t, _ := strconv.ParseInt(digits, 10, 64) // 0 when it is none
	return t
}

// adopt gives a file a UID by renaming it.
func (m *Mailbox) adopt(s stray) error {
	old := m.path(s.inNew, s.name)
	info, err := os.Lstat(old)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("it is no regular file, but %v", info.Mode().Type())
	}
	name := maildir.ParseName(s.name)
	if name.Size != info.Size() || name.Served == maildir.Unknown {
		if name.Size, name.Served, err = servedSize(old); err != nil {
			return err
		}
	}
	if s.fresh || name.Unique == "" {
		name.Unique, name.Other = m.store.newUnique(), ""
	}
	if err := m.lockUIDs(1); err != nil {
		return err
	}
	defer m.mu.Unlock()
	inNew := s.inNew && name.Flags == 0 && !m.selected()
	name.Validity, name.UID = m.validity, uint32(m.next)
	file := name.Format(sub(inNew))
	if file == "" { // too long
		name.Unique, name.Other = m.store.newUnique(), ""
		file = name.Format(sub(inNew))
	}
	before := m.stampNow()
	if err := m.store.opt.FS.RenameNoReplace(old, m.path(inNew, file)); err != nil {
		return err
	}
	m.stampOwn(before)
	m.soil(s.inNew)
	m.arrived(record{
		uid: m.next, flags: name.Flags, size: name.Served, name: file, inNew: inNew, recent: s.inNew && name.Flags == 0,
	}, nil)
	m.wake()
	return nil
}

// settleTwin looks at two names that say to be one message. Two names of one
// file are what a crash leaves of a rename: one goes. A file of its own is a copy
// that another program made. When one of them is not there, a rename was seen
// twice.
func (m *Mailbox) settleTwin(t twin) ([]stray, error) {
	other := m.path(t.other.inNew, t.other.name)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil || m.list == nil {
		return nil, m.fail
	}
	i, ok := m.list.find(t.uid)
	if !ok || m.path(m.list.recs[i].inNew, m.list.recs[i].name) != t.keep {
		return nil, nil
	}
	kept, err := os.Lstat(t.keep)
	if err != nil {
		return nil, nil
	}
	info, err := os.Lstat(other)
	if err != nil {
		return nil, nil
	}
	if !os.SameFile(kept, info) {
		return []stray{{name: t.other.name, inNew: t.other.inNew, fresh: true}}, nil
	}
	before := m.stampNow()
	if err := m.store.opt.FS.Remove(other); err != nil {
		return nil, err
	}
	m.stampOwn(before)
	m.soil(t.other.inNew)
	return nil, nil
}
