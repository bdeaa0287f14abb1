package mailbox

import (
	"crypto/rand"
	"encoding/base64"
	"math"

	"facteur/server/fault"
	"facteur/server/maildir"
	"facteur/server/safefile"
)

// The numbers that one write of facteur-state reserves, and those left at which
// the next are asked for.
const (
	uidBlock    = 1000
	uidAhead    = 400
	modSeqBlock = 10000
	modSeqAhead = 2000
)

// modSeqs is the number of MODSEQs that one holding of the lock takes at most.
const modSeqs = 2

// maxModSeq is the highest MODSEQ (RFC 7162 7: 63 bits), with room for a block.
const maxModSeq = math.MaxInt64 - 2*modSeqBlock

// given is what was given of the numbers that must never be given twice, and
// what is reserved on disk. With Mailbox.mu held.
type given struct {
	next    UID    // UIDNEXT
	ceiling UID    // UIDNEXT on disk: below it UIDs may be given
	modSeq  ModSeq // the last
	reserve ModSeq // that on disk: up to it they may be given
	recent  UID    // the first that no session was told of (RFC 3501 2.3.2)
	claimed bool   // recent is not what is on disk
}

// setState takes a state over from disk.
func (m *Mailbox) setState(s maildir.State) {
	m.use, m.validity, m.objectID = s.Use, s.UIDValidity, s.ID
	m.given = given{
		next: UID(s.UIDNext), ceiling: UID(s.UIDNext),
		modSeq: ModSeq(s.ModSeq), reserve: ModSeq(s.ModSeq),
		recent: UID(s.Recent),
	}
	if s.ModSeq == 0 {
		m.given.modSeq = 1 // HIGHESTMODSEQ is never 0 (RFC 7162 7)
	}
}

// state returns what is to be on disk. With mu held.
func (m *Mailbox) state(next UID, modSeq ModSeq) maildir.State {
	return maildir.State{
		UIDValidity: m.validity, UIDNext: uint32(next), ModSeq: uint64(modSeq),
		Recent: uint32(m.given.recent), Use: m.use, ID: m.objectID,
	}
}

// newObjectID returns a MAILBOXID that no other mailbox has (RFC 8474 4.1).
func newObjectID() string {
	var b [15]byte
	rand.Read(b[:]) // never fails
	return "F" + base64.RawURLEncoding.EncodeToString(b[:])
}

// reservation is a write of facteur-state that runs.
type reservation struct {
	done chan struct{}
	err  error
}

// lockWrite locks mu with the index read, n UIDs and modSeqs MODSEQs free to
// give. On error it is not locked.
func (m *Mailbox) lockWrite(n int) error {
	for {
		if err := m.lockIndex(); err != nil {
			return err
		}
		if m.free(n) {
			return nil
		}
		r := m.reserve(n)
		m.mu.Unlock()
		<-r.done
		if r.err != nil {
			return safefile.Fault(r.err)
		}
	}
}

// free tells whether enough numbers are free, and has more reserved before they
// run out. With mu held.
func (m *Mailbox) free(n int) bool {
	uids, seqs := int(m.given.ceiling-m.given.next), m.given.left()
	enough := uids >= n && seqs >= modSeqs
	if enough && (n > 0 && uids < n+uidAhead || seqs < modSeqAhead) {
		m.reserve(n)
	}
	return enough
}

// left is the number of MODSEQs that may be given.
func (g *given) left() int { return int(max(g.reserve, g.modSeq) - g.modSeq) }

// reserve begins to reserve numbers, unless someone did already. With mu held.
func (m *Mailbox) reserve(n int) *reservation {
	if m.reserving != nil {
		return m.reserving
	}
	r := &reservation{done: make(chan struct{})}
	m.reserving = r
	m.store.homes.Go(func() {
		r.err = m.raise(n)
		m.mu.Lock()
		m.reserving = nil
		m.mu.Unlock()
		close(r.done)
	})
	return r
}

// raise writes a facteur-state that is a block ahead.
func (m *Mailbox) raise(n int) error {
	m.fileMu.Lock()
	defer m.fileMu.Unlock()
	m.mu.Lock()
	dir, fail, g := m.at.Load().dir, m.fail, m.given
	ceiling := uint64(max(g.next, g.ceiling))
	if n > 0 && int(g.ceiling-g.next) < n+uidAhead {
		ceiling = uint64(max(g.next+UID(n), g.ceiling)) + uidBlock
	}
	reserve := max(g.modSeq, g.reserve)
	if g.left() < modSeqAhead {
		reserve += modSeqBlock
	}
	state := m.state(UID(ceiling), reserve)
	m.mu.Unlock()
	switch {
	case fail != nil:
		return fail
	case ceiling > math.MaxUint32:
		return fault.New(fault.NotPossible, "The mailbox has no UIDs left; move its messages to a new folder")
	case reserve > maxModSeq:
		return fault.New(fault.NotPossible, "The mailbox has no MODSEQs left; move its messages to a new folder")
	}
	if err := maildir.WriteState(m.store.opt.FS, dir, state); err != nil {
		return err
	}
	m.mu.Lock()
	m.given.ceiling, m.given.reserve = UID(ceiling), reserve
	m.given.claimed = m.given.claimed && uint32(m.given.recent) != state.Recent
	m.mu.Unlock()
	return nil
}

// writeFinalState writes what was given really, when the mailbox has ended.
func (m *Mailbox) writeFinalState() error {
	m.fileMu.Lock()
	defer m.fileMu.Unlock()
	m.mu.Lock()
	dir, g := m.at.Load().dir, m.given
	state := m.state(g.next, g.modSeq)
	m.mu.Unlock()
	if g.ceiling == g.next && g.reserve <= g.modSeq && !g.claimed {
		return nil
	}
	if err := maildir.WriteState(m.store.opt.FS, dir, state); err != nil {
		return safefile.Fault(err)
	}
	m.mu.Lock()
	m.given.ceiling, m.given.reserve, m.given.claimed = g.next, g.modSeq, false
	m.mu.Unlock()
	return nil
}

// Recent returns the first UID that no session was told of (RFC 3501 2.3.2).
func (m *Mailbox) Recent() UID {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.given.recent
}

// ClaimRecent is Recent, and from now on no other session is told of the
// messages that are there.
func (m *Mailbox) ClaimRecent() UID {
	m.mu.Lock()
	defer m.mu.Unlock()
	first := m.given.recent
	if first < m.given.next {
		m.given.recent, m.given.claimed = m.given.next, true
	}
	return first
}
