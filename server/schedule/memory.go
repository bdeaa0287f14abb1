package schedule

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"strings"
	"time"

	"facteur/server/address"
	"facteur/server/statedb"
)

// kept is how long a Claim holds.
const kept = 400 * 24 * time.Hour

// Memory remembers what is done once: an invitation of which nothing is kept is declined, a
// message that bounced is sent to another address; and what was cancelled by mail, so that an
// older invitation does not bring it back. It may be used by several at once.
type Memory struct{ db *statedb.DB }

// Open makes its table.
func Open(db *statedb.DB) (*Memory, error) {
	err := db.Migrate("schedule", `CREATE TABLE schedule_claim (
		box TEXT NOT NULL, what BLOB NOT NULL, at INTEGER NOT NULL,
		PRIMARY KEY (box, what)) WITHOUT ROWID;
		CREATE INDEX schedule_claim_at ON schedule_claim (at);`,
		`CREATE TABLE schedule_cancelled (
		box TEXT NOT NULL, what BLOB NOT NULL, sequence INTEGER NOT NULL, stamp INTEGER NOT NULL, at INTEGER NOT NULL,
		PRIMARY KEY (box, what)) WITHOUT ROWID;
		CREATE INDEX schedule_cancelled_at ON schedule_cancelled (at);`)
	return &Memory{db}, err
}

// Claim notes that something is done for a mailbox, durably. false: it was done before.
func (m *Memory) Claim(ctx context.Context, box address.Address, what Key, now time.Time) (first bool, err error) {
	err = m.db.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.Exec("DELETE FROM schedule_claim WHERE at <= ?", now.Add(-kept).Unix()); err != nil {
			return err
		}
		res, err := tx.Exec("INSERT INTO schedule_claim VALUES (?, ?, ?) ON CONFLICT DO NOTHING", box.Key(), what[:], now.Unix())
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		first = n == 1
		return err
	})
	return first, err
}

// Forget takes a Claim back: it could not be done.
func (m *Memory) Forget(ctx context.Context, box address.Address, what Key) error {
	return m.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.Exec("DELETE FROM schedule_claim WHERE box = ? AND what = ?", box.Key(), what[:])
		return err
	})
}

// Cancel notes that an object was cancelled for a mailbox, by a message of this SEQUENCE and
// DTSTAMP (zero: none), durably. It takes the place of what was noted before.
func (m *Memory) Cancel(ctx context.Context, box address.Address, what Key, sequence int, stamp, now time.Time) error {
	at := int64(0)
	if !stamp.IsZero() {
		at = stamp.Unix()
	}
	return m.db.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.Exec("DELETE FROM schedule_cancelled WHERE at <= ?", now.Add(-kept).Unix()); err != nil {
			return err
		}
		_, err := tx.Exec("REPLACE INTO schedule_cancelled VALUES (?, ?, ?, ?, ?)", box.Key(), what[:], sequence, at, now.Unix())
		return err
	})
}

// Cancelled returns the SEQUENCE and DTSTAMP (zero: none) of what cancelled an object. ok: it
// was cancelled.
func (m *Memory) Cancelled(ctx context.Context, box address.Address, what Key) (sequence int, stamp time.Time, ok bool, err error) {
	var at int64
	err = m.db.Read(ctx, func(tx *sql.Tx) error {
		return tx.QueryRow("SELECT sequence, stamp FROM schedule_cancelled WHERE box = ? AND what = ?", box.Key(), what[:]).Scan(&sequence, &at)
	})
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return 0, time.Time{}, false, nil
	case err != nil:
		return 0, time.Time{}, false, err
	case at != 0:
		stamp = time.Unix(at, 0).UTC()
	}
	return sequence, stamp, true, nil
}

// Key is what is done once, or cancelled.
type Key [sha256.Size]byte

// SentOn is the sending of a message, by its id, to another address.
func SentOn(id string, to address.Address) Key { return key("send on", id, string(to.Key())) }

// Object is a calendar object, by its UID and organizer.
func Object(uid, organizer string) Key { return key("object", uid, organizer) }

func key(parts ...string) Key { return sha256.Sum256([]byte(strings.Join(parts, "\x00"))) }
