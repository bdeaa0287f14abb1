package mailbox

import (
	"errors"
	"io/fs"

	"facteur/server/fault"
	"facteur/server/safefile"
)

// Usage tells what the home holds. When it is first asked, the indexes of all
// folders are read; then it is counted.
func (h *Home) Usage() (Usage, error) {
	for _, m := range h.mailboxes() {
		if err := h.measure(m); err != nil {
			return Usage{}, safefile.Fault(err)
		}
	}
	beside := int64(0)
	if ask := h.store.opt.Beside; ask != nil {
		var err error
		if beside, err = ask(h.address); err != nil {
			return Usage{}, err
		}
	}
	h.usageMu.Lock()
	defer h.usageMu.Unlock()
	u := h.usage
	u.Octets += beside
	return u, nil
}

// measure has the index of a folder read, unless its usage is known.
func (h *Home) measure(m *Mailbox) error {
	h.usageMu.Lock()
	counted := m.counted
	h.usageMu.Unlock()
	if counted {
		return nil
	}
	_, err := m.Snapshot()
	if errors.Is(err, fs.ErrNotExist) || fault.Is(err, fault.NotFound) {
		return nil // deleted meanwhile, or by another program
	}
	m.mu.Lock()
	broken := m.fail != nil
	m.mu.Unlock()
	if broken {
		return nil
	}
	return err
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
func (m *Mailbox) count(u Usage) {
	h := m.home
	h.usageMu.Lock()
	defer h.usageMu.Unlock()
	if m.counted {
		h.setUsage(m, Usage{Octets: m.usage.Octets + u.Octets, Messages: m.usage.Messages + u.Messages})
	}
}
