package mailbox

import (
	"errors"

	"facteur/server/address"
	"facteur/server/fault"
	"facteur/server/safefile"
)

// Verify compares the index and the caches of an account with its files and
// returns what is wrong. It reads all messages, a folder at a time, while nothing
// else changes the folder. progress may be nil.
func (s *Store) Verify(a address.Address, progress func(Progress)) (problems []string, err error) {
	h, err := s.Home(a)
	if err != nil {
		return nil, err
	}
	for _, name := range h.names() {
		m := h.lookup(name)
		if m == nil {
			continue
		}
		err := m.check(func(done, total int) {
			if progress != nil {
				progress(Progress{Folder: name, Done: done, Total: total})
			}
		})
		if fault.Is(err, fault.Unavailable) {
			return problems, err
		}
		for _, p := range splitErrors(err) {
			problems = append(problems, name+": "+p.Error())
		}
	}
	return problems, nil
}

// splitErrors returns the errors that errors.Join put together.
func splitErrors(err error) []error {
	var list []error
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			list = append(list, splitErrors(e)...)
		}
		return list
	}
	if err != nil {
		list = append(list, err)
	}
	return list
}

// Reindex makes the index and the caches of an account anew. All messages get a
// new MODSEQ: clients read the flags of all of them again. progress may be nil.
func (s *Store) Reindex(a address.Address, progress func(Progress)) error {
	h, err := s.Home(a)
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range h.names() {
		m := h.lookup(name)
		if m == nil {
			continue
		}
		if err := m.reindex(progress); fault.Is(err, fault.Unavailable) {
			return err
		} else if err != nil && !fault.Is(err, fault.NotFound) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (m *Mailbox) reindex(progress func(Progress)) error {
	if err := m.openAnew(); err != nil {
		return safefile.Fault(err)
	}
	snap, err := m.Snapshot()
	if err != nil {
		return err
	}
	e := m.Entries()
	defer e.Close()
	for i, r := range snap.Range(0, snap.Len()) {
		if progress != nil {
			progress(Progress{Folder: m.Name(), Done: i, Total: snap.Len()})
		}
		if _, err := e.Summary(r); err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
	}
	if progress != nil {
		progress(Progress{Folder: m.Name(), Done: snap.Len(), Total: snap.Len()})
	}
	return nil
}
