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
	if len(batch) == 1 {
		batch[0].end(db.transact(batch[0].run))
		return
	}
	errs := make([]error, len(batch))
	failed := db.transact(func(tx *sql.Tx) error {
		for i, w := range batch {
			var broken error
			if errs[i], broken = db.parts.one(tx, w.run); broken != nil {
				return broken
			}
		}
		return nil
	})
	for i, w := range batch {
		if failed != nil {
			errs[i] = failed
		}
		w.end(errs[i])
	}
}

// end tells who waits for a write how it ended.
func (w write) end(err error) {
	if err == nil && w.then != nil {
		w.then()
	}
	w.answer <- told(err)
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
				err, broken := db.parts.one(tx, run)
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

// parts are the statements around a part of a transaction, prepared once.
type parts struct{ begin, undo, end *sql.Stmt }

func prepareParts(db *sql.DB) (p parts, err error) {
	for _, s := range []struct {
		into  **sql.Stmt
		query string
	}{{&p.begin, "SAVEPOINT one"}, {&p.undo, "ROLLBACK TO one"}, {&p.end, "RELEASE one"}} {
		if *s.into, err = db.Prepare(s.query); err != nil {
			return p, err
		}
	}
	return p, nil
}

// one runs a part of a transaction. err is of that part alone, and the part is
// undone; broken is of the whole transaction, which can't go on: SQLite ends it
// by itself when the disk fails.
func (p parts) one(tx *sql.Tx, run func(*sql.Tx) error) (err, broken error) {
	if _, err := tx.Stmt(p.begin).Exec(); err != nil {
		return nil, err
	}
	err = run(tx)
	if diskFailed(err) {
		return nil, err
	}
	if err != nil {
		if _, err := tx.Stmt(p.undo).Exec(); err != nil {
			return nil, err
		}
	}
	_, broken = tx.Stmt(p.end).Exec()
	return err, broken
}
