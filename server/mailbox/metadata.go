package mailbox

import (
	"maps"
	"sync"

	"facteur/server/fault"
	"facteur/server/maildir"
)

// annotations are those of a folder or an account (RFC 5464), in a file beside
// the mail.
type annotations struct {
	mu     sync.Mutex
	read   bool
	values map[string][]byte // replaced as a whole
}

// get returns all annotations of the file in dir.
func (a *annotations) get(dir, file string) (map[string][]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.load(dir, file); err != nil {
		return nil, err
	}
	return a.values, nil
}

// load reads the file, unless that was done. With mu held.
func (a *annotations) load(dir, file string) error {
	if a.read {
		return nil
	}
	values, err := maildir.ReadMetadata(dir, file)
	if err != nil {
		return diskFault(err)
	}
	a.values, a.read = values, true
	return nil
}

// change carries out changes, all or none.
func (a *annotations) change(s *Store, dir, file string, changes map[string][]byte) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.load(dir, file); err != nil {
		return err
	}
	values := maps.Clone(a.values)
	for name, value := range changes {
		switch {
		case value == nil:
			delete(values, name)
			continue
		case len(name) > maildir.MaxMetadataName:
			return fault.Newf(fault.TooLarge, "The name of an annotation has at most %d octets", maildir.MaxMetadataName)
		case len(value) > maildir.MaxMetadataValue:
			return fault.Newf(fault.TooLarge, "An annotation has at most %d octets", maildir.MaxMetadataValue)
		case !maildir.ValidMetadataName(name):
			return fault.Newf(fault.NotPossible, "%q can't be the name of an annotation", name)
		}
		values[name] = value
	}
	if len(values) > maildir.MaxMetadata {
		return fault.Newf(fault.TooMany, "There can be at most %d annotations", maildir.MaxMetadata)
	}
	if err := maildir.WriteMetadata(s.opt.FS, dir, file, values); err != nil {
		return diskFault(err)
	}
	a.values = values
	return nil
}

// Metadata returns annotations (RFC 5464): names of entries, in lower case, to
// values. The map is shared.
func (m *Mailbox) Metadata() (map[string][]byte, error) {
	m.fileMu.Lock() // keeps the directory
	defer m.fileMu.Unlock()
	if err := m.failure(); err != nil {
		return nil, err
	}
	return m.metadata.get(m.at.Load().dir, maildir.MetadataFile)
}

// SetMetadata changes annotations, all or none; a nil value removes one. It is
// durable when it returns. What is over the bounds is a fault TooLarge or TooMany.
func (m *Mailbox) SetMetadata(changes map[string][]byte) error {
	m.fileMu.Lock()
	defer m.fileMu.Unlock()
	if err := m.failure(); err != nil {
		return err
	}
	return m.metadata.change(m.store, m.at.Load().dir, maildir.MetadataFile, changes)
}

func (m *Mailbox) failure() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.fail
}

// Metadata is that of Mailbox for the account as a whole.
func (h *Home) Metadata() (map[string][]byte, error) {
	return h.metadata.get(h.dir, maildir.AccountMetadataFile)
}

// SetMetadata is that of Mailbox for the account as a whole.
func (h *Home) SetMetadata(changes map[string][]byte) error {
	h.mu.Lock()
	fail := h.fail
	h.mu.Unlock()
	if fail != nil {
		return fail
	}
	return h.metadata.change(h.store, h.dir, maildir.AccountMetadataFile, changes)
}
