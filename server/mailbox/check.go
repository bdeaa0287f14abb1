package mailbox

import (
	"errors"
	"fmt"
	"path/filepath"

	"facteur/server/maildir"
)

// Check compares what is in memory with what lies on disk, and with the rules:
// UIDs ascend below UIDNEXT, no two files are one message, sizes and counts
// are right. It reads every message, while nothing else changes the mailbox.
// For tests and for the verification of a store.
func (h *Home) Check() error {
	var errs []error
	for _, m := range h.mailboxes() {
		if err := m.check(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", m.Name(), err))
		}
	}
	h.usageMu.Lock()
	defer h.usageMu.Unlock()
	var sum Usage
	for _, m := range h.mailboxes() {
		sum.Octets += m.usage.Octets
		sum.Messages += m.usage.Messages
	}
	if sum != h.usage {
		errs = append(errs, fmt.Errorf("the usage is %v, of its folders %v", h.usage, sum))
	}
	return errors.Join(errs...)
}

func (m *Mailbox) check() error {
	if err := m.lockList(); err != nil {
		return err
	}
	m.mu.Unlock()
	m.scanMu.Lock()
	defer m.scanMu.Unlock()
	m.fileMu.Lock()
	defer m.fileMu.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	scan, err := maildir.ReadScan(m.dir, m.store.opt.Now())
	if err != nil {
		return err
	}
	own, strays := m.sortScan(scan)
	var errs []error
	complain := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	for _, s := range strays {
		complain("%s has no UID", s.name)
	}
	if len(own) != len(m.list.recs) {
		complain("%d files for %d messages", len(own), len(m.list.recs))
	}
	files := make(map[string]found)
	for _, f := range own {
		files[m.path(f.inNew, f.name)] = f
	}
	var sum list
	var last UID
	for i := range m.list.recs {
		r := &m.list.recs[i]
		if r.uid <= last || r.uid >= m.next {
			complain("UID %d after %d, with UIDNEXT %d", r.uid, last, m.next)
		}
		last = r.uid
		path := m.path(r.inNew, r.name)
		f, ok := files[path]
		if !ok || f.uid != r.uid || f.flags != r.flags || r.recent && !r.inNew {
			complain("UID %d: %+v, the file %+v", r.uid, *r, f)
		}
		size, served, err := servedSize(path)
		if n := maildir.ParseName(r.name); err != nil || n.Size != size || served != r.size {
			complain("UID %d: %s has %d octets, served %d: %v", r.uid, r.name, size, served, err)
		}
		sum.count(r, 1)
	}
	if sum.unseen != m.list.unseen || sum.recent != m.list.recent || sum.size != m.list.size {
		complain("unseen %d, recent %d, size %d; really %d, %d, %d",
			m.list.unseen, m.list.recent, m.list.size, sum.unseen, sum.recent, sum.size)
	}
	if u := (Usage{sum.size, len(m.list.recs)}); m.counted && m.usage != u {
		complain("the usage is %v, really %v", m.usage, u)
	}
	state, err := maildir.ReadState(m.dir)
	if err != nil || state.UIDValidity != m.validity || state.UIDNext < uint32(m.next) || UID(state.UIDNext) != m.ceiling {
		complain("%s: %+v, %v; in memory %d, %d, %d", filepath.Join(m.dir, "facteur-state"), state, err, m.validity, m.next, m.ceiling)
	}
	return errors.Join(errs...)
}
