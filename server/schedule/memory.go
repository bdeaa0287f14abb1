package schedule

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"strings"
	"time"

	"facteur/server/address"
	"facteur/server/statedb"
)

// kept is how long a Claim holds.
const kept = 400 * 24 * time.Hour

// Memory remembers what is done once: an invitation of which nothing is kept is declined, a
// message that bounced is sent to another address. It may be used by several at once.
type Memory struct{ db *statedb.DB }

// Open makes its table.
func Open(db *statedb.DB) (*Memory, error) {
	err := db.Migrate("schedule", `CREATE TABLE schedule_claim (
		box TEXT NOT NULL, what BLOB NOT NULL, at INTEGER NOT NULL,
		PRIMARY KEY (box, what)) WITHOUT ROWID;
		CREATE INDEX schedule_claim_at ON schedule_claim (at);`)
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

// Key is what is done once.
type Key [sha256.Size]byte

// SentOn is the sending of a message, by its id, to another address.
func SentOn(id string, to address.Address) Key { return key("send on", id, string(to.Key())) }

func key(parts ...string) Key { return sha256.Sum256([]byte(strings.Join(parts, "\x00"))) }
