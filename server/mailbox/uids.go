package mailbox

import (
	"math"

	"facteur/server/fault"
	"facteur/server/maildir"
)

// block is the number of UIDs that one write of facteur-state reserves, and
// ahead the number left at which the next block is asked for.
const (
	block = 1000
	ahead = 400
)

// reservation is a write of facteur-state that runs.
type reservation struct {
	done chan struct{}
	err  error
}

// lockUIDs locks mu with n UIDs free to give. On error it is not locked.
func (m *Mailbox) lockUIDs(n int) error {
	for {
		m.mu.Lock()
		if m.fail != nil {
			defer m.mu.Unlock()
			return m.fail
		}
		if m.uidsFree(n) {
			return nil
		}
		r := m.reserve(n)
		m.mu.Unlock()
		<-r.done
		if r.err != nil {
			return diskFault(r.err)
		}
	}
}

// uidsFree tells whether n UIDs are free, and has more reserved before they run
// out. With mu held.
func (m *Mailbox) uidsFree(n int) bool {
	free := int(m.ceiling - m.next)
	if free >= n && free < n+ahead {
		m.reserve(n)
	}
	return free >= n
}

// reserve begins to reserve UIDs, unless someone did already. With mu held.
func (m *Mailbox) reserve(n int) *reservation {
	if m.reserving != nil {
		return m.reserving
	}
	r := &reservation{done: make(chan struct{})}
	m.reserving = r
	m.store.work.Go(func() {
		r.err = m.raiseCeiling(n)
		m.mu.Lock()
		m.reserving = nil
		m.mu.Unlock()
		close(r.done)
	})
	return r
}

// raiseCeiling writes a facteur-state that is a block ahead.
func (m *Mailbox) raiseCeiling(n int) error {
	m.fileMu.Lock()
	defer m.fileMu.Unlock()
	m.mu.Lock()
	dir, fail := m.dir, m.fail
	ceiling := uint64(max(m.next+UID(n), m.ceiling)) + block
	m.mu.Unlock()
	if fail != nil {
		return fail
	}
	if ceiling > math.MaxUint32 {
		return fault.New(fault.NotPossible, "The mailbox has no UIDs left; move its messages to a new folder")
	}
	state := maildir.State{UIDValidity: m.validity, UIDNext: uint32(ceiling), Use: m.use}
	if err := maildir.WriteState(m.store.opt.FS, dir, state); err != nil {
		return err
	}
	m.mu.Lock()
	m.ceiling = UID(ceiling)
	m.mu.Unlock()
	return nil
}
