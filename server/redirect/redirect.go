// Package redirect keeps what must be known to send mail on without harm: what went
// where in the last hours, how much an account sends on, which targets have long been
// refused, and the senders whose addresses are too long for package srs.
//
// The rules, of mail that an address here sends on to another server:
//
//   - The same message goes to the same target once in 12 hours. Same are messages with
//     the same Message-ID, Date, From, Subject and body (Fingerprint). One that came back
//     may go again.
//   - What the redirections and scripts of one account send on is limited to 200 an hour
//     and 2000 a day. Aliases, lists and catch-alls are not limited here.
//   - A target pauses when its address is refused (5.1.x, 5.2.1) over 3 days with no
//     success between. Once a day one message tries it.
//
// What is suppressed is never a loss: the caller keeps the message, or lets it wait.
//
// Ask and Commit frame a delivery: Ask says what may go, and takes room for it under the
// limits; Commit, once the delivery is durable, notes it and waits for the disk; Cancel
// gives the room back. A crash between the two forgets, so a message may go twice then
// (RFC 5321 4.5.3.2 knows no better), and is never lost.
//
// A lock guards what is in memory: the room taken, and the targets that fail. It is held
// over reads of the database in Ask, and never over a write. Nothing here runs by itself.
//
// List has the changes to the header of what a list sends on. It is pure.
package redirect

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"io"
	"sync"
	"time"

	"facteur/server/address"
	"facteur/server/envelope"
	"facteur/server/message"
	"facteur/server/statedb"
)

// The limits.
const (
	Window    = 12 * time.Hour // in which a message goes once
	PerHour   = 200            // that an account sends on
	PerDay    = 2000
	pauseOver = 3 * 24 * time.Hour // of refusals
	probeEach = 24 * time.Hour     // a paused target is tried
	forget    = 30 * 24 * time.Hour
)

// schema are the steps of statedb.Migrate. Times are in seconds.
func schema() []string {
	return []string{
		`CREATE TABLE redirect_sent (
			forwarder TEXT NOT NULL, message BLOB NOT NULL, target TEXT NOT NULL,
			at INTEGER NOT NULL, limited INTEGER NOT NULL, entry TEXT NOT NULL,
			PRIMARY KEY (forwarder, message, target)) WITHOUT ROWID;
		CREATE INDEX redirect_sent_at ON redirect_sent (at);
		CREATE INDEX redirect_sent_forwarder ON redirect_sent (forwarder, at) WHERE limited;
		CREATE INDEX redirect_sent_entry ON redirect_sent (entry);
		CREATE TABLE redirect_failing (
			forwarder TEXT NOT NULL, target TEXT NOT NULL,
			since INTEGER NOT NULL, last INTEGER NOT NULL, probe INTEGER NOT NULL, reply TEXT NOT NULL,
			PRIMARY KEY (forwarder, target)) WITHOUT ROWID;
		CREATE TABLE redirect_told (forwarder TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
		CREATE TABLE srs_sender (id TEXT PRIMARY KEY, address TEXT NOT NULL, until INTEGER NOT NULL) WITHOUT ROWID;
		CREATE INDEX srs_sender_until ON srs_sender (until);`,
	}
}

// Memory remembers. It may be used by several at once.
type Memory struct {
	db  *statedb.DB
	now func() time.Time

	mu      sync.Mutex
	taken   map[address.Key]int // room under the limits, by forwarder
	failing map[pair]failure
}

// pair is a forwarder and its target.
type pair struct{ forwarder, target address.Key }

// Open makes its tables and reads what it needs. now may be nil: time.Now.
func Open(ctx context.Context, db *statedb.DB, now func() time.Time) (*Memory, error) {
	if now == nil {
		now = time.Now
	}
	m := &Memory{db: db, now: now, taken: make(map[address.Key]int), failing: make(map[pair]failure)}
	if err := db.Migrate("redirect", schema()...); err != nil {
		return nil, err
	}
	return m, m.load(ctx)
}

// Fingerprint tells a message from all others. The error is that of reading it.
func Fingerprint(h *message.Header, b envelope.Body) ([]byte, error) {
	sum := sha256.New()
	for _, name := range []string{"Message-ID", "Date", "From", "Subject"} {
		for _, v := range h.RawValues(name) {
			fmt.Fprintf(sum, "%s:%d:%s", name, len(v), v)
		}
	}
	rest := b.Size() - h.Size()
	if _, err := io.CopyN(sum, io.NewSectionReader(b, h.Size(), rest), rest); err != nil {
		return nil, err
	}
	return sum.Sum(nil), nil
}

// Request is a message that is to be sent on.
type Request struct {
	Forwarder address.Address // an account, a shared mailbox, an alias, or what a catch-all took
	Limited   bool            // by the limits of an account
	Message   []byte          // its Fingerprint
	Targets   []address.Address
}

// Verdict says what to do about one target.
type Verdict struct {
	// Suppressed: it may not go now, for the reason Why.
	Suppressed bool
	Why        Reason
	// Until is when a paused target may be tried again.
	Until time.Time
}

// Reason is why something may not go.
type Reason string

// The reasons.
const (
	Repeated Reason = "it went there in the last 12 hours"
	Over     Reason = "the limit of what an account sends on"
	Paused   Reason = "the address has been refused for days"
)

// Leave is what Ask gives: it must be ended by Commit or Cancel.
type Leave struct {
	Verdicts []Verdict // one a target
	// TellOver: something is over a limit, and the owner has not been told for a day.
	TellOver bool

	memory  *Memory
	request Request
	granted int // targets that go, when they are limited
}

// Ask says which targets a message may go to. An error is temporary.
func (m *Memory) Ask(ctx context.Context, r Request) (*Leave, error) {
	l := &Leave{Verdicts: make([]Verdict, len(r.Targets)), memory: m, request: r}
	m.mu.Lock()
	defer m.mu.Unlock()
	err := m.db.Read(ctx, func(tx *sql.Tx) error {
		room, err := m.room(tx, r)
		if err != nil {
			return err
		}
		for i, target := range r.Targets {
			v := &l.Verdicts[i]
			if *v, err = m.judge(tx, r, target); err != nil {
				return err
			}
			if !v.Suppressed && r.Limited {
				if l.granted == room {
					*v = Verdict{Suppressed: true, Why: Over}
				} else {
					l.granted++
				}
			}
			l.TellOver = l.TellOver || v.Why == Over
		}
		if l.TellOver {
			l.TellOver, err = untold(tx, r.Forwarder.Key(), m.now())
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("what was sent on before can't be read: %w", err)
	}
	m.taken[r.Forwarder.Key()] += l.granted
	for i, v := range l.Verdicts {
		if !v.Suppressed {
			m.tries(pair{r.Forwarder.Key(), r.Targets[i].Key()})
		}
	}
	return l, nil
}

// judge looks at one target, without the limits. m.mu is held.
func (m *Memory) judge(tx *sql.Tx, r Request, target address.Address) (Verdict, error) {
	now := m.now()
	var n int
	err := tx.QueryRow("SELECT count(*) FROM redirect_sent WHERE forwarder = ? AND message = ? AND target = ? AND at > ?",
		r.Forwarder.Key(), r.Message, target.Key(), now.Add(-Window).Unix()).Scan(&n)
	if err != nil || n > 0 {
		return Verdict{Suppressed: n > 0, Why: Repeated}, err
	}
	if f := m.failing[pair{r.Forwarder.Key(), target.Key()}]; f.paused() && now.Before(f.probe) {
		return Verdict{Suppressed: true, Why: Paused, Until: f.probe}, nil
	}
	return Verdict{}, nil
}

// room is how many more a forwarder may send on now. m.mu is held.
func (m *Memory) room(tx *sql.Tx, r Request) (int, error) {
	if !r.Limited {
		return 0, nil
	}
	var hour, day int
	now := m.now()
	err := tx.QueryRow("SELECT count(*), ifnull(sum(at > ?), 0) FROM redirect_sent WHERE forwarder = ? AND limited AND at > ?",
		now.Add(-time.Hour).Unix(), r.Forwarder.Key(), now.Add(-24*time.Hour).Unix()).Scan(&day, &hour)
	return max(0, min(PerHour-hour, PerDay-day)-m.taken[r.Forwarder.Key()]), err
}

// untold tells whether an owner was told of a limit in the last day.
func untold(tx *sql.Tx, forwarder address.Key, now time.Time) (bool, error) {
	var n int
	err := tx.QueryRow("SELECT count(*) FROM redirect_told WHERE forwarder = ? AND at > ?", forwarder, now.Add(-24*time.Hour).Unix()).Scan(&n)
	return n == 0, err
}

// Commit notes what goes, as the message of that id, and returns when it is durable. After an error a message may go twice, nothing else.
func (l *Leave) Commit(ctx context.Context, id string) error {
	m, r := l.memory, l.request
	now := m.now()
	err := m.db.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.Exec("DELETE FROM redirect_sent WHERE at <= ?", now.Add(-24*time.Hour).Unix()); err != nil {
			return err
		}
		for i, v := range l.Verdicts {
			if v.Suppressed {
				continue
			}
			_, err := tx.Exec("INSERT INTO redirect_sent VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET at = excluded.at, entry = excluded.entry",
				r.Forwarder.Key(), r.Message, r.Targets[i].Key(), now.Unix(), r.Limited, id)
			if err != nil {
				return err
			}
		}
		if !l.TellOver {
			return nil
		}
		_, err := tx.Exec("INSERT INTO redirect_told VALUES (?, ?) ON CONFLICT DO UPDATE SET at = excluded.at", r.Forwarder.Key(), now.Unix())
		return err
	})
	l.Cancel()
	return err
}

// Forwarder is who asked.
func (l *Leave) Forwarder() address.Address { return l.request.Forwarder }

// Cancel gives back what Ask took. It may be called more than once, and after Commit.
func (l *Leave) Cancel() {
	m, key := l.memory, l.request.Forwarder.Key()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.taken[key] -= l.granted; m.taken[key] <= 0 {
		delete(m.taken, key)
	}
	l.granted = 0
}
