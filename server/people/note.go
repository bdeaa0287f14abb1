package people

import (
	"database/sql"

	"facteur/server/address"
)

// batch is notes that are written together.
type batch struct {
	people map[pair]dates
	sent   map[sentID]int64
}

// Received notes that mail of an author was kept in a mailbox. It never waits.
func (m *Memory) Received(box, author address.Address) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note(pair{box.Key(), author.Key()}, dates{received: m.now().Unix()})
}

// Wrote notes that a mailbox sent a message with these Message-IDs, in the form of
// message.MessageIDs, to these recipients. It never waits.
func (m *Memory) Wrote(box address.Address, recipients []address.Address, ids []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now().Unix()
	for _, a := range recipients {
		m.note(pair{box.Key(), a.Key()}, dates{written: now})
	}
	for _, id := range ids {
		m.batch().sent[sentID{box.Key(), hashed(id)}] = now
	}
}

// note takes a note. m.mu is held.
func (m *Memory) note(p pair, d dates) {
	b := m.batch()
	b.people[p] = b.people[p].newer(d)
	for _, half := range []map[pair]dates{m.fresh, m.old} {
		if known, ok := half[p]; ok {
			half[p] = known.newer(d)
		}
	}
}

// batch returns the one that takes notes. m.mu is held.
func (m *Memory) batch() *batch {
	if m.open != nil && len(m.open.people)+len(m.open.sent) < maxBatch {
		return m.open
	}
	b := &batch{make(map[pair]dates), make(map[sentID]int64)}
	m.open = b
	m.db.Later(func(tx *sql.Tx) error {
		m.finish(b)
		return b.write(tx)
	})
	return b
}

// finish has a batch take no more notes.
func (m *Memory) finish(b *batch) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.open == b {
		m.open = nil
	}
	m.last = b
}

// write writes a batch. It may be written again: the later dates stand.
func (b *batch) write(tx *sql.Tx) error {
	known, err := tx.Prepare(`INSERT INTO people_known VALUES (?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET received = max(received, excluded.received), written = max(written, excluded.written)`)
	if err != nil {
		return err
	}
	defer known.Close()
	for p, d := range b.people {
		if _, err := known.Exec(p.box, p.who, d.received, d.written); err != nil {
			return err
		}
	}
	sent, err := tx.Prepare("INSERT INTO people_sent VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET at = excluded.at")
	if err != nil {
		return err
	}
	defer sent.Close()
	for s, at := range b.sent {
		if _, err := sent.Exec(s.box, s.id[:], at); err != nil {
			return err
		}
	}
	return nil
}

// noted tells whether one of the ids is in a batch that may not be written yet.
func (m *Memory) noted(ids []sentID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, b := range []*batch{m.open, m.last} {
		for _, id := range ids {
			if b != nil && b.sent[id] != 0 {
				return true
			}
		}
	}
	return false
}

// cached returns what is known of a pair without the database.
func (m *Memory) cached(p pair) (dates, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if d, ok := m.fresh[p]; ok {
		return d, true
	}
	d, ok := m.old[p]
	if ok {
		m.put(p, d)
	}
	return d, ok
}

// cache keeps what the database has of a pair, and returns it with what is not written
// yet.
func (m *Memory) cache(p pair, d dates) dates {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, b := range []*batch{m.open, m.last} {
		if b != nil {
			d = d.newer(b.people[p])
		}
	}
	m.put(p, d)
	return d
}

// put puts a pair into the cache. When one half is full the other, with what was not asked
// for lately, goes. m.mu is held.
func (m *Memory) put(p pair, d dates) {
	if len(m.fresh) >= maxCached {
		m.fresh, m.old = make(map[pair]dates), m.fresh
	}
	m.fresh[p] = d
}
