package statedb

import (
	"database/sql"
	"time"
)

// serve writes until the DB is closed.
func (db *DB) serve() {
	defer close(db.done)
	var due <-chan time.Time // when what is pending is written; nil: nothing is
	for {
		select {
		case w := <-db.queue:
			db.answer(db.gather(w))
		case <-db.wake:
			if due == nil {
				due = time.After(behind)
			}
		case <-due:
			due = nil
			if err := db.flush(); err != nil {
				due = time.After(again)
			}
		case <-db.closing:
			return
		}
	}
}

// gather returns w and all that wait beside it.
func (db *DB) gather(w write) []write {
	batch := []write{w}
	for len(batch) < maxBatch {
		select {
		case w := <-db.queue:
			batch = append(batch, w)
		default:
			return batch
		}
	}
	return batch
}

// answer runs a batch in one transaction, and tells each how its part ended.
func (db *DB) answer(batch []write) {
	errs := make([]error, len(batch))
	failed := db.transact(func(tx *sql.Tx) error {
		for i, w := range batch {
			var broken error
			if errs[i], broken = one(tx, w.run); broken != nil {
				return broken
			}
		}
		return nil
	})
	for i, w := range batch {
		if failed != nil {
			errs[i] = failed
		}
		w.answer <- told(errs[i])
	}
}

// flush writes what is pending. When the transaction fails as a whole, it stays
// pending, and the error is returned.
func (db *DB) flush() error {
	for {
		db.mu.Lock()
		batch := db.pending[:min(len(db.pending), maxBatch)]
		dropped := db.dropped
		db.dropped = 0
		db.mu.Unlock()
		if dropped > 0 {
			db.log.Error("statedb.dropped", "writes", dropped)
		}
		if len(batch) == 0 {
			return nil
		}
		err := db.transact(func(tx *sql.Tx) error {
			for _, run := range batch {
				err, broken := one(tx, run)
				if broken != nil {
					return broken
				}
				if err != nil {
					db.log.Error("statedb.write", "error", err)
				}
			}
			return nil
		})
		if err != nil {
			db.log.Error("statedb.behind", "error", err)
			return told(err)
		}
		db.mu.Lock()
		db.pending = db.pending[len(batch):]
		if len(db.pending) == 0 {
			db.pending = nil // gives back the memory of a crowd
		}
		db.mu.Unlock()
	}
}

// transact runs a transaction, which is durable when there is no error.
func (db *DB) transact(run func(*sql.Tx) error) error {
	tx, err := db.writer.Begin()
	if err != nil {
		return err
	}
	if err := run(tx); err != nil {
		tx.Rollback()
		return err
	}
	return tx.Commit()
}

// one runs a part of a transaction. err is of that part alone, and the part is
// undone; broken is of the whole transaction, which can't go on: SQLite ends it
// by itself when the disk fails.
func one(tx *sql.Tx, run func(*sql.Tx) error) (err, broken error) {
	if _, err := tx.Exec("SAVEPOINT one"); err != nil {
		return nil, err
	}
	err = run(tx)
	if diskFailed(err) {
		return nil, err
	}
	if err != nil {
		if _, err := tx.Exec("ROLLBACK TO one"); err != nil {
			return nil, err
		}
	}
	_, broken = tx.Exec("RELEASE one")
	return err, broken
}
