package schedule

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"strconv"
	"strings"
	"time"

	"facteur/server/address"
	"facteur/server/statedb"
)

// kept is how long it is remembered that an invitation was answered.
const kept = 400 * 24 * time.Hour

// Memory remembers what was answered. It may be used by several at once.
type Memory struct{ db *statedb.DB }

// Open makes its table.
func Open(db *statedb.DB) (*Memory, error) {
	err := db.Migrate("schedule", `CREATE TABLE schedule_answered (
		box TEXT NOT NULL, invitation BLOB NOT NULL, at INTEGER NOT NULL,
		PRIMARY KEY (box, invitation)) WITHOUT ROWID;
		CREATE INDEX schedule_answered_at ON schedule_answered (at);`)
	return &Memory{db}, err
}

// Claim notes that a mailbox answers an invitation, durably. false: it has answered this
// UID, SEQUENCE and RECURRENCE-ID before.
func (m *Memory) Claim(ctx context.Context, box address.Address, in *Invitation, now time.Time) (first bool, err error) {
	err = m.db.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.Exec("DELETE FROM schedule_answered WHERE at <= ?", now.Add(-kept).Unix()); err != nil {
			return err
		}
		res, err := tx.Exec("INSERT INTO schedule_answered VALUES (?, ?, ?) ON CONFLICT DO NOTHING", box.Key(), in.key(), now.Unix())
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		first = n == 1
		return err
	})
	return first, err
}

// Forget takes a Claim back: the answer could not be sent.
func (m *Memory) Forget(ctx context.Context, box address.Address, in *Invitation) error {
	return m.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.Exec("DELETE FROM schedule_answered WHERE box = ? AND invitation = ?", box.Key(), in.key())
		return err
	})
}

// key is what tells one invitation from another.
func (in *Invitation) key() []byte {
	sum := sha256.Sum256([]byte(strings.Join([]string{in.UID, in.RecurrenceID, strconv.Itoa(in.Sequence)}, "\x00")))
	return sum[:]
}
