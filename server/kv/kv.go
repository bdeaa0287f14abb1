// Package kv is the memory of scripts (hook.KV): what they note for the next
// message, in state.db, apart for each script and each mailbox.
//
// The memory of one script and mailbox is a shelf. It is read as a whole when it
// is first asked for, and then answered from memory; the shelves that were not
// asked for longest leave the memory when there are too many. What a run sets,
// deletes and notes with Duplicate stays its own until Commit, which is one
// transaction for all scripts of a stage and durable on return; only then others
// see it, so that nobody relies on what a crash or a full disk may still undo. Counters and
// rates count at once, and are written behind, each second.
//
// Two runs may set the same key: the one that commits last wins. Two that ask
// Duplicate at the same time are both told no: mail comes twice rather than never.
//
// Everything is bounded (Limits). A full shelf is an error for the script that
// writes, in words for its author. Rates never fail: the one that ends first is
// forgotten. What has ended is removed each hour.
//
// Locks: one mutex guards everything in memory. It is held for microseconds, never
// while the disk is read or written. It does not guard against scripts that are
// removed from mail.toml: what they noted without an end stays, within the limits.
package kv

import (
	"container/list"
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"facteur/server/address"
	"facteur/server/hook"
	"facteur/server/statedb"
)

// Limits bound the memory of scripts. Octets are those of keys and values.
type Limits struct {
	Entries       int   // of one script in one mailbox
	Octets        int   // the same
	ServerEntries int   // of one script at the stages without a mailbox
	ServerOctets  int   // the same
	Changes       int   // entries that one run may set
	Key, Value    int   // octets of one
	Total         int64 // octets of all on disk, with overhead for each entry
	Cache         int64 // octets of what is kept in memory, with overhead
}

// defaultLimits are those of a server.
var defaultLimits = Limits{
	Entries: 10_000, Octets: 4 << 20, ServerEntries: 100_000, ServerOctets: 16 << 20, Changes: 1000,
	Key: 256, Value: 64 << 10, Total: 512 << 20, Cache: 32 << 20,
}

// overhead is what an entry costs beside its octets.
const overhead = 100

// Options of a Store.
type Options struct {
	State  *statedb.DB
	Log    *slog.Logger     // nil: none
	Now    func() time.Time // for what is pruned; nil: time.Now
	Limits Limits           // zero: the defaults
}

// Store is the memory of all scripts. It may be used by any number of goroutines.
type Store struct {
	db     *statedb.DB
	log    *slog.Logger
	now    func() time.Time
	limits Limits

	stop func()
	done chan struct{} // closed when the goroutine that writes behind has ended

	mu      sync.Mutex
	shelves map[owner]*shelf
	recent  *list.List // of *shelf, that used last in front
	cached  int64      // octets of all shelves, with overhead
	total   int64      // octets on disk, with overhead; counted anew by Prune
	dirty   map[*shelf]struct{}
	changes uint64 // in memory, so far
}

// owner is whose memory it is.
type owner struct{ script, box string } // box: address.Address.Key; "" at the stages without one

// steps makes the table (statedb.Migrate). Times are in milliseconds; 0: no end.
var steps = []string{
	`CREATE TABLE script_memory (script TEXT NOT NULL, box TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, ends INTEGER NOT NULL,
	PRIMARY KEY (script, box, key)) WITHOUT ROWID`,
	`CREATE INDEX script_memory_ends ON script_memory (ends) WHERE ends > 0`,
	`CREATE INDEX script_memory_box ON script_memory (box)`,
}

// Open opens the memory. Close ends it, before that of the database.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Limits == (Limits{}) {
		o.Limits = defaultLimits
	}
	if err := o.State.Migrate("kv", steps...); err != nil {
		return nil, err
	}
	s := &Store{
		db: o.State, log: o.Log, now: o.Now, limits: o.Limits, done: make(chan struct{}),
		shelves: map[owner]*shelf{}, recent: list.New(), dirty: map[*shelf]struct{}{},
	}
	if err := s.Prune(ctx); err != nil {
		return nil, fmt.Errorf("the memory of scripts: %w", err)
	}
	behind, stop := context.WithCancel(context.Background())
	s.stop = stop
	go s.writeBehind(behind)
	return s, nil
}

// Begin begins a run's transaction (hook.KV).
func (s *Store) Begin(script string, box address.Address, now time.Time) hook.State {
	o := owner{script: script}
	if !box.IsZero() {
		o.box = string(box.Key())
	}
	return &run{store: s, owner: o, now: now}
}

// Remove forgets what scripts noted for a mailbox.
func (s *Store) Remove(ctx context.Context, box address.Address) error {
	key := string(box.Key())
	return s.db.WriteThen(ctx, func(tx *sql.Tx) error {
		_, err := tx.Exec("DELETE FROM script_memory WHERE box = ?", key)
		return err
	}, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for o, sh := range s.shelves {
			if o.box == key {
				s.clear(sh)
			}
		}
	})
}

// Prune removes what has ended, and counts what is there.
func (s *Store) Prune(ctx context.Context) error {
	now := s.now().UnixMilli()
	for more := true; more; {
		err := s.db.Write(ctx, func(tx *sql.Tx) error { // in steps: others wait for the database
			res, err := tx.Exec(`DELETE FROM script_memory WHERE (script, box, key) IN
				(SELECT script, box, key FROM script_memory WHERE ends > 0 AND ends <= ? LIMIT 500)`, now)
			if err != nil {
				return err
			}
			n, err := res.RowsAffected()
			more = n == 500
			return err
		})
		if err != nil {
			return err
		}
	}
	var total int64
	err := s.db.Read(ctx, func(tx *sql.Tx) error {
		return tx.QueryRow("SELECT coalesce(sum(length(key) + length(value) + ?), 0) FROM script_memory", overhead).Scan(&total)
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total = total
	for _, sh := range s.shelves {
		s.prune(sh, now)
	}
	return nil
}

// Close writes what is to be written, and ends the Store.
func (s *Store) Close() error {
	s.stop()
	<-s.done
	return s.flush(context.Background())
}
