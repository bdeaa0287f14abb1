package kv

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// behind is how long a counter or a rate may wait until it is written.
const behind = time.Second

// writeBehind writes counters and rates each second, until ctx ends.
func (s *Store) writeBehind(ctx context.Context) {
	defer close(s.done)
	tick := time.NewTicker(behind)
	defer tick.Stop()
	hourly := time.NewTicker(time.Hour)
	defer hourly.Stop()
	failed := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			err := s.flush(ctx)
			if err != nil && !failed && ctx.Err() == nil {
				s.log.Error("kv.behind", "error", err, "result", "counters and rates stay in memory until it can be written")
			}
			failed = err != nil
		case <-hourly.C:
			if err := s.Prune(ctx); err != nil && ctx.Err() == nil {
				s.log.Error("kv.prune", "error", err)
			}
		}
	}
}

// row is what flush writes of a key.
type row struct {
	sh      *shelf
	name    string
	changed uint64
	there   bool
}

// maxRows is how many rows flush writes in one transaction.
const maxRows = 2000

// flush writes what is to be written behind.
func (s *Store) flush(ctx context.Context) error {
	for s.pending() {
		var rows []row
		err := s.db.WriteThen(ctx, func(tx *sql.Tx) error {
			w, err := newRowWriter(tx)
			if err != nil {
				return err
			}
			defer w.close()
			var values []*entry
			rows, values = s.dirtyRows()
			for i, r := range rows {
				if err := w.write(r.sh.owner, r.name, values[i]); err != nil {
					return err
				}
			}
			return nil
		}, func() { s.written(rows) })
		if err != nil || len(rows) < maxRows {
			return err
		}
	}
	return nil
}

// pending tells whether there is something to write behind.
func (s *Store) pending() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.dirty) > 0
}

// dirtyRows copies what is to be written. Keys that a run commits at this moment
// are left: that run's value is to stand at the end.
func (s *Store) dirtyRows() (rows []row, values []*entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for sh := range s.dirty {
		for name := range sh.dirty {
			if len(rows) == maxRows {
				return rows, values
			}
			if sh.writing[name] > 0 {
				continue
			}
			e := sh.entries[name]
			if e == nil {
				rows, values = append(rows, row{sh: sh, name: name}), append(values, nil)
				continue
			}
			copied := &entry{value: e.value, ends: e.ends}
			if e.rate != nil {
				copied.value = string(e.rate.encode())
			}
			rows, values = append(rows, row{sh, name, e.changed, true}), append(values, copied)
		}
	}
	return rows, values
}

// written notes what is on disk now.
func (s *Store) written(rows []row) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range rows {
		e := r.sh.entries[r.name]
		if (e != nil) == r.there && (e == nil || e.changed == r.changed) {
			delete(r.sh.dirty, r.name)
		}
		if len(r.sh.dirty) == 0 {
			delete(s.dirty, r.sh)
		}
	}
	s.evict()
}

// rowWriter writes rows with statements that are prepared once.
type rowWriter struct{ put, remove *sql.Stmt }

func newRowWriter(tx *sql.Tx) (w rowWriter, err error) {
	w.put, err = tx.Prepare(`INSERT INTO script_memory VALUES (?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET value = excluded.value, ends = excluded.ends`)
	if err != nil {
		return w, err
	}
	w.remove, err = tx.Prepare("DELETE FROM script_memory WHERE script = ? AND box = ? AND key = ?")
	if err != nil {
		w.put.Close()
	}
	return w, err
}

// write writes an entry, or removes it when e is nil.
func (w rowWriter) write(o owner, name string, e *entry) error {
	if e == nil {
		_, err := w.remove.Exec(o.script, o.box, name)
		return err
	}
	_, err := w.put.Exec(o.script, o.box, name, []byte(e.value), e.ends)
	return err
}

func (w rowWriter) close() error {
	return errors.Join(w.put.Close(), w.remove.Close())
}
