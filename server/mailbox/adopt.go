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
	"facteur/server/msgindex"
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
	at := m.at.Load()
	old := at.path(s.inNew, s.name)
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
	if err := m.lockScan(1); err != nil {
		return err
	}
	defer m.mu.Unlock()
	c := m.begin()
	defer c.commit()
	inNew := s.inNew && name.Flags == 0
	uid := m.given.next
	name.Validity, name.UID = m.validity, uint32(uid)
	file := name.Format(sub(inNew))
	if file == "" { // too long
		name.Unique, name.Other = m.store.newUnique(), ""
		file = name.Format(sub(inNew))
	}
	if err := m.store.opt.FS.RenameNoReplace(old, at.path(inNew, file)); err != nil {
		return err
	}
	c.soil(s.inNew)
	c.soil(inNew)
	c.add(m.newRecord(uid, file, inNew, name.Served, info.ModTime().Unix()))
	return nil
}

// settleTwin looks at two names that say to be one message. Two names of one
// file are what a crash leaves of a rename: one goes. A file of its own is a copy
// that another program made. When one of them is not there, a rename was seen
// twice.
func (m *Mailbox) settleTwin(t twin) ([]stray, error) {
	if err := m.lockScan(0); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	c := m.begin()
	defer c.commit()
	other := c.at.path(t.other.inNew, t.other.name)
	i, ok := c.snap.Find(t.uid)
	if !ok {
		return nil, nil
	}
	r := c.snap.At(i)
	if name, ok := c.fileName(r); !ok || c.at.path(r.Has(msgindex.InNew), name) != t.keep {
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
	if err := m.store.opt.FS.Remove(other); err != nil {
		return nil, err
	}
	c.soil(t.other.inNew)
	return nil, nil
}
