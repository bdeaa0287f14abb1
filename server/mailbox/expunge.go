package mailbox

import (
	"errors"
	"io/fs"
	"slices"
)

// Expunge removes messages and returns the UIDs of those that were there. It
// is durable when it returns.
func (m *Mailbox) Expunge(by *View, uids []UID) ([]UID, error) {
	var gone []UID
	err := m.eachChunk(uids, func(chunk []UID) (lost []UID, err error) {
		var indexes []int
		for _, uid := range chunk {
			i, ok := m.list.find(uid)
			if !ok || slices.Contains(indexes, i) {
				continue
			}
			r := &m.list.recs[i]
			err = m.store.opt.FS.Remove(m.path(r.inNew, r.name))
			if errors.Is(err, fs.ErrNotExist) {
				lost, err = m.lose(lost, i), nil
				continue
			}
			if err != nil {
				break
			}
			indexes = append(indexes, i)
			gone = append(gone, uid)
			m.soil(r.inNew)
		}
		m.forgetRecords(indexes, by)
		return lost, err
	})
	if serr := m.Sync(); err == nil {
		err = serr
	}
	slices.Sort(gone)
	return gone, err
}

// forgetRecords takes messages out of the list, in order of their UIDs, and
// tells the views. With mu held.
func (m *Mailbox) forgetRecords(indexes []int, by *View) {
	slices.Sort(indexes)
	for _, i := range indexes {
		r := &m.list.recs[i]
		m.touch(r.uid)
		m.count(-1, -r.size)
		m.emit(Expunged, r, by, nil)
	}
	m.list.remove(indexes)
}
