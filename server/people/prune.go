package people

import (
	"context"
	"database/sql"

	"facteur/server/address"
)

// Prune forgets what is too old, what is over the bounds of a mailbox, and all of those
// mailboxes that exists does not know.
func (m *Memory) Prune(ctx context.Context, exists func(box address.Key) bool) error {
	now := m.now()
	err := m.db.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.Exec("DELETE FROM people_known WHERE max(received, written) < ?", now.Add(-keepPeople).Unix()); err != nil {
			return err
		}
		_, err := tx.Exec("DELETE FROM people_sent WHERE at < ?", now.Add(-keepSent).Unix())
		return err
	})
	if err != nil {
		return err
	}
	for _, t := range []table{
		{"people_known", "who", "written > 0 DESC, max(received, written) DESC", maxPeople},
		{"people_sent", "id", "at DESC", maxSent},
	} {
		if err := m.pruneTable(ctx, t, exists); err != nil {
			return err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fresh, m.old, m.last = make(map[pair]dates), nil, nil
	return nil
}

// table is one of the tables, with a key beside the box and what is kept first.
type table struct {
	name, key, first string
	most             int
}

func (m *Memory) pruneTable(ctx context.Context, t table, exists func(address.Key) bool) error {
	sizes, err := m.sizes(ctx, t)
	if err != nil {
		return err
	}
	for box, n := range sizes {
		keep := t.most
		if !exists(box) {
			keep = 0
		}
		if n <= keep {
			continue
		}
		err := m.db.Write(ctx, func(tx *sql.Tx) error {
			_, err := tx.Exec("DELETE FROM "+t.name+" WHERE box = ?1 AND "+t.key+" IN (SELECT "+t.key+" FROM "+t.name+
				" WHERE box = ?1 ORDER BY "+t.first+" LIMIT -1 OFFSET ?2)", box, keep)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// sizes returns the number of rows of each mailbox.
func (m *Memory) sizes(ctx context.Context, t table) (map[address.Key]int, error) {
	sizes := make(map[address.Key]int)
	err := m.db.Read(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, "SELECT box, count(*) FROM "+t.name+" GROUP BY box")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var box address.Key
			var n int
			if err := rows.Scan(&box, &n); err != nil {
				return err
			}
			sizes[box] = n
		}
		return rows.Err()
	})
	return sizes, err
}
