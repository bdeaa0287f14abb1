// Package statedb is data/state.db: one SQLite file for all small durable state
// that is shared, such as rates, vacation memory, reports. Each user owns its
// tables, and makes them with Migrate.
//
// One goroutine writes. Writes that wait at the same time share a transaction,
// each in a savepoint of its own, and one sync to disk makes them all durable
// (write-ahead log, synchronous=FULL). Write returns once that is done; Later
// returns at once, and what it was given is written within a second. Reads have
// connections of their own, and see what was committed when they began.
//
// The functions given to Write, WriteThen and Later run in the goroutine that writes: they
// are quick, take no lock that is held while somebody waits for a Write, and
// call neither Write nor Read. They use the transaction that they are given, and
// do not end it.
//
// A file that is no database any more, or is damaged, is set aside when it is
// opened, and begun anew: nothing in it is mail. A full disk is a temporary
// fault for those who wait, and does not lose what was to be written later, up
// to a bound.
package statedb

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

const (
	behind     = time.Second // how long Later may wait
	again      = 10 * behind // and when the disk fails
	maxBatch   = 1000        // writes of one transaction
	maxPending = 1 << 16     // writes that Later keeps
)

// ErrClosed is that of a DB that was closed.
var ErrClosed = errors.New("state.db is closed")

// DB is an open state.db. It may be used by any number of goroutines.
type DB struct {
	log     *slog.Logger
	writer  *sql.DB // one connection, used by the goroutine that writes alone
	readers *sql.DB
	parts   parts

	queue   chan write    // unbuffered: who has sent is in a batch
	wake    chan struct{} // something is pending
	closing chan struct{}
	done    chan struct{} // closed when the goroutine that writes has ended
	once    sync.Once
	closed  error

	mu      sync.Mutex
	pending []func(*sql.Tx) error // those of Later
	room    int                   // how many may be pending
	dropped int                   // for which there was no room
}

// write is a function that somebody waits for.
type write struct {
	run    func(*sql.Tx) error
	then   func() // once it is durable; may be nil
	answer chan error
}

// Open opens the database at path, and makes it when it is not there. A damaged
// one is renamed, and an empty one takes its place. log may be nil.
func Open(path string, log *slog.Logger) (*DB, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if err := create(path); err != nil {
		return nil, fmt.Errorf("state.db can't be made: %w", err)
	}
	writer, err := openWriter(path)
	if damaged(err) {
		if err := setAside(path, err, log); err != nil {
			return nil, err
		}
		writer, err = openWriter(path)
	}
	if err != nil {
		return nil, fmt.Errorf("state.db can't be opened: %w", err)
	}
	readers, err := sql.Open("sqlite", source(path, "query_only(1)"))
	if err != nil {
		writer.Close()
		return nil, err
	}
	readers.SetMaxOpenConns(max(4, runtime.GOMAXPROCS(0)))
	parts, err := prepareParts(writer)
	if err != nil {
		return nil, errors.Join(err, readers.Close(), writer.Close())
	}
	db := &DB{
		log: log, writer: writer, readers: readers, parts: parts, room: maxPending,
		queue: make(chan write), wake: make(chan struct{}, 1), closing: make(chan struct{}), done: make(chan struct{}),
	}
	go db.serve()
	return db, nil
}

// source is the name of the database for database/sql.
func source(path string, pragmas ...string) string {
	query := url.Values{"_pragma": append(pragmas, "busy_timeout(10000)", "foreign_keys(1)", "synchronous(FULL)")}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}).String()
}

// openWriter opens the connection that writes, and checks the whole file.
func openWriter(path string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", source(path, "journal_mode(WAL)")+"&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	if err := check(db); err != nil {
		db.Close()
		return nil, err
	}
	if _, err := db.Exec("CREATE TABLE IF NOT EXISTS migrations (owner TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID"); err != nil {
		db.Close()
		return nil, err
	}
	return db, nil
}

// Migrate brings the tables of an owner, such as "limit", to the newest form:
// each step is an SQL statement (or several), run once, in order. Steps are only
// ever added at the end.
func (db *DB) Migrate(owner string, steps ...string) error {
	return db.Write(context.Background(), func(tx *sql.Tx) error {
		version := 0
		err := tx.QueryRow("SELECT version FROM migrations WHERE owner = ?", owner).Scan(&version)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if version > len(steps) {
			return fmt.Errorf("state.db was written by a newer version: %s has version %d, this one knows %d", owner, version, len(steps))
		}
		for i, step := range steps[version:] {
			if _, err := tx.Exec(step); err != nil {
				return fmt.Errorf("state.db: step %d of %s: %w", version+i+1, owner, err)
			}
		}
		_, err = tx.Exec("INSERT INTO migrations VALUES (?, ?) ON CONFLICT DO UPDATE SET version = excluded.version", owner, len(steps))
		return err
	})
}

// Write runs a function in a transaction, and returns once it is durable. When
// the function fails, nothing of it is kept, and its error is returned. A full
// or broken disk is a fault.Fault of kind Unavailable. When ctx ends before the
// function has begun, it is not run.
func (db *DB) Write(ctx context.Context, run func(*sql.Tx) error) error {
	return db.WriteThen(ctx, run, nil)
}

// WriteThen is Write, and calls then once it is durable and before the next
// transaction begins, in the goroutine that writes: what is kept in memory of the
// database changes in the order that the database does.
func (db *DB) WriteThen(ctx context.Context, run func(*sql.Tx) error, then func()) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w := write{run, then, make(chan error, 1)}
	select {
	case db.queue <- w:
		return <-w.answer
	case <-ctx.Done():
		return ctx.Err()
	case <-db.closing:
		return ErrClosed
	}
}

// Later has a function run in a transaction within a second. It never waits. The
// function may be run again when the disk failed, so it changes nothing but the
// database. What fails for another reason is logged and dropped; so is what is
// too much to keep.
func (db *DB) Later(run func(*sql.Tx) error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if len(db.pending) >= db.room {
		db.dropped++
		return
	}
	db.pending = append(db.pending, run)
	select {
	case db.wake <- struct{}{}:
	default:
	}
}

// Read runs a function in a transaction that can't write.
func (db *DB) Read(ctx context.Context, run func(*sql.Tx) error) error {
	tx, err := db.readers.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return told(err)
	}
	defer tx.Rollback()
	return told(run(tx))
}

// Close writes what is pending, and closes the file. Later has no effect after it.
func (db *DB) Close() error {
	db.once.Do(func() {
		close(db.closing)
		<-db.done
		err := db.flush()
		_, checkpoint := db.writer.Exec("PRAGMA wal_checkpoint(TRUNCATE)") // so that the one file is all of it
		db.closed = cmp.Or(err, db.readers.Close(), checkpoint, db.writer.Close())
	})
	return db.closed
}
