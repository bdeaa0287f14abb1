package mailbox

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"facteur/server/maildir"
)

// Usage tells what the home holds. When it is first asked, the folders whose
// messages are not in memory are listed; then it is counted.
func (h *Home) Usage() (Usage, error) {
	for _, m := range h.mailboxes() {
		if err := h.measure(m); err != nil {
			return Usage{}, diskFault(err)
		}
	}
	h.usageMu.Lock()
	defer h.usageMu.Unlock()
	return h.usage, nil
}

// measure lists a folder, unless its usage is known.
func (h *Home) measure(m *Mailbox) error {
	for range 10 {
		h.usageMu.Lock()
		counted, recounted := m.counted, m.recounted
		h.usageMu.Unlock()
		if counted {
			return nil
		}
		m.mu.Lock()
		dir, fail := m.dir, m.fail
		m.mu.Unlock()
		if fail != nil {
			return nil
		}
		u, err := listUsage(dir)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // deleted by another program
		}
		if err != nil {
			return err
		}
		h.usageMu.Lock()
		// Deliveries meanwhile may or may not be in u: look again.
		if !m.counted && m.recounted == recounted {
			h.setUsage(m, u)
		}
		h.usageMu.Unlock()
	}
	return m.load() // they come all the time
}

// listUsage adds up the sizes in the names of a folder's files.
func listUsage(dir string) (Usage, error) {
	var u Usage
	for _, inNew := range []bool{true, false} {
		d, err := os.Open(filepath.Join(dir, sub(inNew)))
		if err != nil {
			return u, err
		}
		names, err := d.Readdirnames(-1)
		d.Close()
		if err != nil {
			return u, err
		}
		for _, file := range names {
			if file[0] == '.' {
				continue
			}
			size, err := sizeOf(filepath.Join(dir, sub(inNew)), file)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return u, err
			}
			u.Octets += size
			u.Messages++
		}
	}
	return u, nil
}

// sizeOf returns the size of a message as its name tells, else that on disk.
func sizeOf(dir, file string) (int64, error) {
	if n := maildir.ParseName(file); n.Served != maildir.Unknown {
		return n.Served, nil
	} else if n.Size != maildir.Unknown {
		return n.Size, nil
	}
	info, err := os.Lstat(filepath.Join(dir, file))
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// setUsage sets what is known of a mailbox. With usageMu held.
func (h *Home) setUsage(m *Mailbox, u Usage) {
	h.usage.Octets += u.Octets - m.usage.Octets
	h.usage.Messages += u.Messages - m.usage.Messages
	m.usage, m.counted = u, true
}

// uncount takes a mailbox that is gone out of the usage.
func (h *Home) uncount(m *Mailbox) {
	h.usageMu.Lock()
	defer h.usageMu.Unlock()
	h.setUsage(m, Usage{})
	m.counted = false
}

// count adds messages and octets to the usage. With mu held.
func (m *Mailbox) count(messages int, octets int64) {
	h := m.home
	h.usageMu.Lock()
	defer h.usageMu.Unlock()
	m.recounted++
	if m.counted {
		h.setUsage(m, Usage{Octets: m.usage.Octets + octets, Messages: m.usage.Messages + messages})
	}
}
