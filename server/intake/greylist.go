package intake

import (
	"context"
	"database/sql"
	"errors"
	"net/netip"
	"sync/atomic"
	"time"

	"facteur/server/address"
	"facteur/server/statedb"
)

// Greylist remembers who was put off, in state.db (RFC 6647 4.1): triples of client,
// sender and recipient, and the clients that came again. What is not seen for 36 days is
// forgotten, so who writes once a month stays known.
type Greylist struct {
	db    *statedb.DB
	added atomic.Int64 // since the start: now and then the tables are swept
}

// GreyTriple is who wants to bring a message, for whom.
type GreyTriple struct {
	Client            string // a network, or a domain that it speaks for
	Sender, Recipient address.Key
}

const (
	greyMemory = 36 * 24 * time.Hour
	greyDay    = 24 * time.Hour
	// greyAfter stands for a time that was not given. RFC 6647 4.4 has one minute to a day.
	greyAfter = 5 * time.Minute
	maxGrey   = 100_000 // triples; the oldest are forgotten
	greySweep = 1000    // triples between two sweeps
)

// OpenGreylist opens the memory.
func OpenGreylist(db *statedb.DB) (*Greylist, error) {
	err := db.Migrate("greylist", `
		CREATE TABLE greylist (client TEXT, sender TEXT, recipient TEXT, first INTEGER NOT NULL, PRIMARY KEY (client, sender, recipient)) WITHOUT ROWID;
		CREATE INDEX greylist_first ON greylist (first);
		CREATE TABLE greylist_passed (client TEXT PRIMARY KEY, seen INTEGER NOT NULL) WITHOUT ROWID;
		CREATE INDEX greylist_seen ON greylist_passed (seen)`)
	return &Greylist{db: db}, err
}

// greyNetwork is the network of a client that counts for one: some senders try again from a
// neighbour.
func greyNetwork(ip netip.Addr) string {
	bits := 64
	if ip.Is4() {
		bits = 24
	}
	p, err := ip.WithZone("").Prefix(bits)
	if err != nil {
		return ip.String()
	}
	return p.String()
}

// Check tells how long a triple has to wait, zero when it passes: its client passed before,
// or it came first so long ago. domain is asked only when the client's network is new: a
// domain that it speaks for stands for the client then.
func (g *Greylist) Check(ctx context.Context, t GreyTriple, after time.Duration, now time.Time, domain func() string) (time.Duration, error) {
	if after <= 0 {
		after = greyAfter
	}
	after = min(after, greyDay)
	if passed, err := g.passed(ctx, t.Client, now); passed || err != nil {
		return 0, err
	}
	if d := domain(); d != "" {
		t.Client = d
		if passed, err := g.passed(ctx, t.Client, now); passed || err != nil {
			return 0, err
		}
	}
	var wait time.Duration
	err := g.db.Write(ctx, func(tx *sql.Tx) (err error) {
		wait, err = g.note(tx, t, after, now)
		return err
	})
	return wait, err
}

// passed tells whether a client came again before, and keeps it known.
func (g *Greylist) passed(ctx context.Context, client string, now time.Time) (bool, error) {
	var seen int64
	err := g.db.Read(ctx, func(tx *sql.Tx) error {
		err := tx.QueryRow("SELECT seen FROM greylist_passed WHERE client = ?", client).Scan(&seen)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	if err != nil || seen <= now.Add(-greyMemory).Unix() {
		return false, err
	}
	if seen < now.Add(-greyDay).Unix() {
		g.db.Later(func(tx *sql.Tx) error { return notePassed(tx, client, now) })
	}
	return true, nil
}

func notePassed(tx *sql.Tx, client string, now time.Time) error {
	_, err := tx.Exec("INSERT INTO greylist_passed VALUES (?, ?) ON CONFLICT DO UPDATE SET seen = excluded.seen", client, now.Unix())
	return err
}

// note notes that a triple came; it returns how long it has to wait.
func (g *Greylist) note(tx *sql.Tx, t GreyTriple, after time.Duration, now time.Time) (time.Duration, error) {
	var first int64
	err := tx.QueryRow("SELECT first FROM greylist WHERE client = ? AND sender = ? AND recipient = ?", t.Client, string(t.Sender), string(t.Recipient)).Scan(&first)
	switch {
	case errors.Is(err, sql.ErrNoRows) || err == nil && first <= now.Add(-greyMemory).Unix():
		if err := g.sweep(tx, now); err != nil {
			return 0, err
		}
		_, err := tx.Exec("INSERT OR REPLACE INTO greylist VALUES (?, ?, ?, ?)", t.Client, string(t.Sender), string(t.Recipient), now.Unix())
		return after, err
	case err != nil:
		return 0, err
	}
	if wait := time.Unix(first, 0).Add(after).Sub(now); wait > 0 {
		return wait, nil
	}
	if _, err := tx.Exec("DELETE FROM greylist WHERE client = ? AND sender = ? AND recipient = ?", t.Client, string(t.Sender), string(t.Recipient)); err != nil {
		return 0, err
	}
	return 0, notePassed(tx, t.Client, now)
}

// sweep forgets what is too old, and the oldest of what is too much.
func (g *Greylist) sweep(tx *sql.Tx, now time.Time) error {
	if g.added.Add(1)%greySweep != 1 {
		return nil
	}
	old := now.Add(-greyMemory).Unix()
	for _, s := range []struct {
		query string
		arg   int64
	}{
		{"DELETE FROM greylist WHERE first <= ?", old},
		{"DELETE FROM greylist_passed WHERE seen <= ?", old},
		{"DELETE FROM greylist WHERE first <= (SELECT first FROM greylist ORDER BY first DESC LIMIT 1 OFFSET ?)", maxGrey},
		{"DELETE FROM greylist_passed WHERE seen <= (SELECT seen FROM greylist_passed ORDER BY seen DESC LIMIT 1 OFFSET ?)", maxGrey},
	} {
		if _, err := tx.Exec(s.query, s.arg); err != nil {
			return err
		}
	}
	return nil
}
