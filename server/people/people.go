// Package people keeps what each mailbox knows of those it exchanges mail with: when
// somebody's mail was last kept in it, when it last wrote to them, and the Message-IDs of
// what it sent (RFC 5322 3.6.4), so that a script can tell newcomers, people who were
// written to, and answers.
//
// An address counts without case (address.Key). Notes are written behind, at most a second
// late, and a crash loses that second; a mailbox sees its own at once. Message-IDs are kept
// for a year, as hashes; people for two years after the last mail. Of each mailbox at most
// 20,000 people and 20,000 Message-IDs are kept, the newest, and people that were written
// to before others (Prune).
//
// A lock guards what is in memory; it is never held over a use of the database.
//
// It has no names: those are in address books. What is junk, and what is a bounce, is for
// the caller to know.
package people

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"facteur/server/address"
	"facteur/server/hook"
	"facteur/server/statedb"
)

// The bounds of what is kept.
const (
	keepPeople = 2 * 365 * 24 * time.Hour
	keepSent   = 365 * 24 * time.Hour
	maxPeople  = 20000 // of a mailbox
	maxSent    = 20000
	maxBatch   = 4096 // notes that are written at a time
	maxCached  = 4096 // contacts in each half of the cache
	maxIDs     = 100  // that one question names
)

// schema are the steps of statedb.Migrate. Times are in seconds; 0: never.
func schema() []string {
	return []string{
		`CREATE TABLE people_known (
			box TEXT NOT NULL, who TEXT NOT NULL, received INTEGER NOT NULL, written INTEGER NOT NULL,
			PRIMARY KEY (box, who)) WITHOUT ROWID;
		CREATE TABLE people_sent (
			box TEXT NOT NULL, id BLOB NOT NULL, at INTEGER NOT NULL,
			PRIMARY KEY (box, id)) WITHOUT ROWID;`,
	}
}

// Memory remembers. It may be used by several at once.
type Memory struct {
	db  *statedb.DB
	now func() time.Time

	mu         sync.Mutex
	open       *batch // takes notes; nil: there are none
	last       *batch // is being written, or was
	fresh, old map[pair]dates
}

// pair is a mailbox and somebody.
type pair struct{ box, who address.Key }

// dates are when mail came and went, in seconds since 1970; 0: never.
type dates struct{ received, written int64 }

// newer returns the later of both dates.
func (d dates) newer(e dates) dates {
	return dates{max(d.received, e.received), max(d.written, e.written)}
}

// sentID is a Message-ID that a mailbox sent.
type sentID struct {
	box address.Key
	id  [16]byte
}

func hashed(id string) (h [16]byte) {
	sum := sha256.Sum256([]byte(id))
	return [16]byte(sum[:16])
}

// Open makes its tables. now may be nil: time.Now.
func Open(db *statedb.DB, now func() time.Time) (*Memory, error) {
	if now == nil {
		now = time.Now
	}
	m := &Memory{db: db, now: now, fresh: make(map[pair]dates)}
	return m, db.Migrate("people", schema()...)
}

// Contact returns what a mailbox knows of somebody; its Name is empty.
func (m *Memory) Contact(ctx context.Context, box, who address.Address) (hook.Contact, error) {
	p := pair{box.Key(), who.Key()}
	d, ok := m.cached(p)
	if !ok {
		stored, err := m.read(ctx, p)
		if err != nil {
			return hook.Contact{}, err
		}
		d = m.cache(p, stored)
	}
	return hook.Contact{Received: moment(d.received), Written: moment(d.written)}, nil
}

func moment(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}

func (m *Memory) read(ctx context.Context, p pair) (d dates, err error) {
	err = m.db.Read(ctx, func(tx *sql.Tx) error {
		return tx.QueryRow("SELECT received, written FROM people_known WHERE box = ? AND who = ?", p.box, p.who).Scan(&d.received, &d.written)
	})
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	if err != nil {
		err = fmt.Errorf("what a mailbox knows of somebody can't be read: %w", err)
	}
	return d, err
}

// HasSent tells whether one of the Message-IDs, in the form of message.MessageIDs, is of a
// message that the mailbox sent. Of more than 100 the first are looked for.
func (m *Memory) HasSent(ctx context.Context, box address.Address, ids []string) (bool, error) {
	ids = ids[:min(len(ids), maxIDs)]
	if len(ids) == 0 {
		return false, nil
	}
	keys := make([]sentID, len(ids))
	for i, id := range ids {
		keys[i] = sentID{box.Key(), hashed(id)}
	}
	if m.noted(keys) {
		return true, nil
	}
	found := false
	err := m.db.Read(ctx, func(tx *sql.Tx) error {
		query, err := tx.Prepare("SELECT count(*) FROM people_sent WHERE box = ? AND id = ?")
		if err != nil {
			return err
		}
		defer query.Close()
		for _, k := range keys {
			n := 0
			if err := query.QueryRow(k.box, k.id[:]).Scan(&n); err != nil {
				return err
			}
			found = found || n > 0
		}
		return nil
	})
	if err != nil {
		err = fmt.Errorf("what a mailbox sent can't be read: %w", err)
	}
	return found, err
}
