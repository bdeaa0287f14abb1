package autoreply

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"facteur/server/address"
	"facteur/server/statedb"
)

// Sort is what a claim is for; each has limits of its own.
type Sort string

// The sorts.
const (
	Replies Sort = "reply"  // vacations and replies
	Notices Sort = "notice" // notifications
)

// The limits of a mailbox.
const (
	RepliesPerDay  = 100
	NoticesPerHour = 200 // as for what is redirected: they may leave this server, too
	NoticesPerDay  = 2000
)

// schema are the steps of statedb.Migrate. Times are in seconds.
func schema() []string {
	return []string{
		`CREATE TABLE autoreply_last (
			box TEXT NOT NULL, sort TEXT NOT NULL, recipient TEXT NOT NULL, handle BLOB NOT NULL,
			at INTEGER NOT NULL, until INTEGER NOT NULL,
			PRIMARY KEY (box, sort, recipient, handle)) WITHOUT ROWID;
		CREATE INDEX autoreply_last_until ON autoreply_last (until);
		CREATE TABLE autoreply_sent (box TEXT NOT NULL, sort TEXT NOT NULL, at INTEGER NOT NULL);
		CREATE INDEX autoreply_sent_box ON autoreply_sent (box, sort, at);
		CREATE INDEX autoreply_sent_at ON autoreply_sent (at);`,
	}
}

// Claim is the wish to send one message.
type Claim struct {
	Sort   Sort
	Box    address.Address
	To     address.Address
	Handle []byte        // with Sort, Box and To: what goes once
	Period time.Duration // in so much time
}

// Memory remembers what was sent. It may be used by several at once.
type Memory struct {
	db  *statedb.DB
	now func() time.Time
}

// Open makes its tables. now may be nil: time.Now.
func Open(db *statedb.DB, now func() time.Time) (*Memory, error) {
	if now == nil {
		now = time.Now
	}
	return &Memory{db, now}, db.Migrate("autoreply", schema()...)
}

// Claim takes a claim down, durably, unless it must not be: then it says why. After an
// error nothing was taken down, and nothing may be sent.
func (m *Memory) Claim(ctx context.Context, c Claim) (why Reason, err error) {
	now := m.now()
	// Most messages of a sender find that there was one before: no write, no wait.
	err = m.db.Read(ctx, func(tx *sql.Tx) error {
		why, err = c.judge(tx, now)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("what was answered before can't be read: %w", err)
	}
	if why != "" {
		return why, nil
	}
	err = m.db.Write(ctx, func(tx *sql.Tx) error {
		if why, err = c.judge(tx, now); err != nil || why != "" {
			return err
		}
		return c.note(tx, now)
	})
	if err != nil {
		return "", fmt.Errorf("what is answered can't be noted: %w", err)
	}
	return why, nil
}

// judge looks at what was sent before.
func (c Claim) judge(tx *sql.Tx, now time.Time) (Reason, error) {
	var n int
	err := tx.QueryRow("SELECT count(*) FROM autoreply_last WHERE box = ? AND sort = ? AND recipient = ? AND handle = ? AND at > ?",
		c.Box.Key(), c.Sort, c.To.Key(), c.Handle, now.Add(-c.Period).Unix()).Scan(&n)
	if err != nil || n > 0 {
		return Answered, err
	}
	var hour, all int
	err = tx.QueryRow("SELECT count(*), ifnull(sum(at > ?), 0) FROM autoreply_sent WHERE box = ? AND sort = ? AND at > ?",
		now.Add(-time.Hour).Unix(), c.Box.Key(), c.Sort, now.Add(-day).Unix()).Scan(&all, &hour)
	switch {
	case err != nil:
		return "", err
	case c.Sort == Replies && all >= RepliesPerDay, c.Sort == Notices && (all >= NoticesPerDay || hour >= NoticesPerHour):
		return Over, nil
	}
	return "", nil
}

// note takes the claim down, and drops what is forgotten.
func (c Claim) note(tx *sql.Tx, now time.Time) error {
	// A later question may be for more days than this one.
	until := now.Add(MaxDays * day)
	if c.Sort == Notices {
		until = now.Add(day)
	}
	for _, q := range []struct {
		text string
		args []any
	}{
		{"DELETE FROM autoreply_last WHERE until <= ?", []any{now.Unix()}},
		{"DELETE FROM autoreply_sent WHERE at <= ?", []any{now.Add(-day).Unix()}},
		{`INSERT INTO autoreply_last VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET at = excluded.at, until = excluded.until`,
			[]any{c.Box.Key(), c.Sort, c.To.Key(), c.Handle, now.Unix(), until.Unix()}},
		{"INSERT INTO autoreply_sent VALUES (?, ?, ?)", []any{c.Box.Key(), c.Sort, now.Unix()}},
	} {
		if _, err := tx.Exec(q.text, q.args...); err != nil {
			return err
		}
	}
	return nil
}

// Forget takes a claim back, of what could not be queued.
func (m *Memory) Forget(ctx context.Context, c Claim) error {
	return m.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.Exec("DELETE FROM autoreply_last WHERE box = ? AND sort = ? AND recipient = ? AND handle = ?",
			c.Box.Key(), c.Sort, c.To.Key(), c.Handle)
		if err != nil {
			return err
		}
		_, err = tx.Exec(`DELETE FROM autoreply_sent WHERE rowid IN
			(SELECT rowid FROM autoreply_sent WHERE box = ? AND sort = ? ORDER BY at DESC LIMIT 1)`, c.Box.Key(), c.Sort)
		return err
	})
}
