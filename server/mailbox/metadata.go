package mailbox

import (
	"maps"
	"sync"

	"facteur/server/fault"
	"facteur/server/maildir"
	"facteur/server/safefile"
)

// annotations are those of a folder or an account (RFC 5464), in a file beside
// the mail.
type annotations struct {
	mu     sync.Mutex
	read   bool              // values are those of the file
	values map[string][]byte // replaced as a whole
}

// keptAnnotations is how large annotations may be that stay in memory, in octets
// of their values: an account may have thousands of folders.
const keptAnnotations = 8 << 10

// octetsOf returns the size of values.
func octetsOf(values map[string][]byte) int {
	n := 0
	for _, v := range values {
		n += len(v)
	}
	return n
}

// keep remembers what the file holds, unless that is much.
func (a *annotations) keep(values map[string][]byte) {
	if a.values, a.read = values, octetsOf(values) <= keptAnnotations; !a.read {
		a.values = nil
	}
}

// get returns all annotations of the file in dir.
func (a *annotations) get(dir, file string) (map[string][]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.load(dir, file)
}

// load reads the file, unless that was done. With mu held.
func (a *annotations) load(dir, file string) (map[string][]byte, error) {
	if a.read {
		return a.values, nil
	}
	values, err := maildir.ReadMetadata(dir, file)
	if err != nil {
		return nil, safefile.Fault(err)
	}
	a.keep(values)
	return values, nil
}

// change carries out changes, all or none.
func (a *annotations) change(s *Store, dir, file string, changes map[string][]byte) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	old, err := a.load(dir, file)
	if err != nil {
		return err
	}
	values := maps.Clone(old)
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
	if n := octetsOf(values); n > maildir.MaxMetadataTotal && n > octetsOf(old) {
		return fault.Newf(fault.TooMany, "The annotations can have at most %d octets together", maildir.MaxMetadataTotal)
	}
	if err := maildir.WriteMetadata(s.opt.FS, dir, file, values); err != nil {
		return safefile.Fault(err)
	}
	a.keep(values)
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
	err := m.metadata.change(m.store, m.at.Load().dir, maildir.MetadataFile, changes)
	if err == nil {
		m.home.noteAnnotated(m, changes)
	}
	return err
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
	err := h.metadata.change(h.store, h.dir, maildir.AccountMetadataFile, changes)
	if err == nil {
		h.noteAnnotated(nil, changes)
	}
	return err
}
