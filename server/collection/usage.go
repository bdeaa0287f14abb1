package collection

import (
	"facteur/server/address"
	"facteur/server/fault"
)

// Usage tells what the home holds. When it is first asked, the indexes of all
// collections are read; then it is counted.
func (h *Home) Usage() (Usage, error) {
	u, err := h.usageNow()
	return u, diskFault(err)
}

func (h *Home) usageNow() (Usage, error) {
	if err := h.glance(); err != nil {
		return Usage{}, err
	}
	for _, c := range h.all() {
		h.mu.Lock()
		counted := c.counted
		h.mu.Unlock()
		if counted {
			continue
		}
		s, err := c.Snapshot()
		if fault.Is(err, fault.NotFound) {
			continue // deleted meanwhile
		}
		if err != nil {
			return Usage{}, err
		}
		h.mu.Lock()
		if !c.counted {
			h.setUsage(c, Usage{s.octets, s.count})
		}
		h.mu.Unlock()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.usage, nil
}

// glance is refresh, but for a home where an operation on collections is under way, which
// may be what asks for room: what was known before it will do.
func (h *Home) glance() error {
	if ok, fail := h.current(); ok {
		return fail
	}
	if !h.admin.TryLock() {
		h.mu.Lock()
		known := h.known != nil
		h.mu.Unlock()
		if known {
			return nil
		}
		h.admin.Lock()
	}
	defer h.admin.Unlock()
	return h.list()
}

// setUsage sets what is known of a collection. With Home.mu held.
func (h *Home) setUsage(c *Collection, u Usage) {
	h.usage.Octets += u.Octets - c.usage.Octets
	h.usage.Objects += u.Objects - c.usage.Objects
	c.usage, c.counted = u, true
}

// count notes what a collection holds now. With Collection.mu held.
func (h *Home) count(c *Collection, now Usage) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.setUsage(c, now)
}

// uncount takes a collection that is gone out of the usage.
func (h *Home) uncount(c *Collection) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.setUsage(c, Usage{})
	c.counted = false
}

// room asks whether a home may grow.
func (s *Store) room(a address.Address, octets int64) error {
	if s.opt.Room == nil || octets <= 0 {
		return nil
	}
	return s.opt.Room(a, octets)
}
