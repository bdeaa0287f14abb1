package mailbox

import (
	"errors"
	"fmt"

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
	files := make(map[string]found)
	for _, f := range own {
		files[m.path(f.inNew, f.name)] = f
	}
	var errs []error
	for _, s := range strays {
		errs = append(errs, fmt.Errorf("%s has no UID", s.name))
	}
	if len(files) != len(m.list.recs) {
		errs = append(errs, fmt.Errorf("%d files for %d messages", len(files), len(m.list.recs)))
	}
	last := UID(0)
	for i := range m.list.recs {
		r := &m.list.recs[i]
		if r.uid <= last || r.uid >= m.next {
			errs = append(errs, fmt.Errorf("UID %d after %d, with UIDNEXT %d", r.uid, last, m.next))
		}
		last = r.uid
		errs = append(errs, m.checkRecord(r, files))
	}
	return errors.Join(append(errs, m.checkCounts(), m.checkState())...)
}

// checkRecord compares a message with its file.
func (m *Mailbox) checkRecord(r *record, files map[string]found) error {
	path := m.path(r.inNew, r.name)
	f, ok := files[path]
	if !ok || f.uid != r.uid || f.flags != r.flags || r.recent && !r.inNew {
		return fmt.Errorf("UID %d is %+v, its file %+v", r.uid, *r, f)
	}
	size, served, err := servedSize(path)
	if n := maildir.ParseName(r.name); err != nil || n.Size != size || served != r.size {
		return fmt.Errorf("UID %d: %s has %d octets, served %d: %w", r.uid, r.name, size, served, err)
	}
	return nil
}

// checkCounts compares what is counted with the messages.
func (m *Mailbox) checkCounts() error {
	l, sum := m.list, newList(m.list.recs)
	if sum.unseen != l.unseen || sum.recent != l.recent || sum.size != l.size {
		return fmt.Errorf("unseen %d, recent %d, size %d; really %d, %d, %d", l.unseen, l.recent, l.size, sum.unseen, sum.recent, sum.size)
	}
	m.home.usageMu.Lock()
	defer m.home.usageMu.Unlock()
	if u := (Usage{sum.size, len(l.recs)}); m.counted && m.usage != u {
		return fmt.Errorf("the usage is %v, really %v", m.usage, u)
	}
	return nil
}

// checkState compares the UIDs in memory with those on disk.
func (m *Mailbox) checkState() error {
	state, err := maildir.ReadState(m.dir)
	if err != nil {
		return err
	}
	if state.UIDValidity != m.validity || UID(state.UIDNext) < m.ceiling || m.ceiling < m.next {
		return fmt.Errorf("facteur-state is %+v; in memory %d, %d, reserved to %d", state, m.validity, m.next, m.ceiling)
	}
	return nil
}
