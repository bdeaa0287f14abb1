package limit

import (
	"context"
	"database/sql"
	"encoding/json"
	"strings"
	"time"

	"facteur/server/address"
)

// steps makes the tables (statedb.Migrate).
var steps = []string{
	"CREATE TABLE limit_subjects (subject TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID, STRICT",
	"CREATE TABLE limit_closed (account TEXT PRIMARY KEY, address TEXT NOT NULL, since INTEGER NOT NULL, reason TEXT NOT NULL) WITHOUT ROWID, STRICT",
}

// touch has a subject written to state.db within a second. s.mu is held.
func (s *Sending) touch(key string) {
	if s.state == nil {
		return
	}
	s.dirty[key] = true
	if s.saving {
		return
	}
	s.saving = true
	var rows map[string][]byte // kept, for when the disk fails and this runs again
	s.state.Later(func(tx *sql.Tx) error {
		if rows == nil {
			rows = s.collect()
		}
		return save(tx, rows)
	})
}

// collect takes the subjects that have changed, nil for those that are gone.
func (s *Sending) collect() map[string][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.saving = false
	rows := make(map[string][]byte, len(s.dirty))
	for key := range s.dirty {
		rows[key] = nil
		sub := s.accounts[key]
		if sub == nil {
			sub = s.clients[key]
		}
		if sub != nil {
			rows[key], _ = json.Marshal(sub) // can't fail: numbers and texts
		}
	}
	clear(s.dirty)
	return rows
}

func save(tx *sql.Tx, rows map[string][]byte) error {
	put, err := tx.Prepare("INSERT INTO limit_subjects VALUES (?, ?) ON CONFLICT DO UPDATE SET state = excluded.state")
	if err != nil {
		return err
	}
	defer put.Close()
	for key, state := range rows {
		if state == nil {
			_, err = tx.Exec("DELETE FROM limit_subjects WHERE subject = ?", key)
		} else {
			_, err = put.Exec(key, string(state))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// load reads all there is. What can't be read is left out: it is a count, and
// no more.
func (s *Sending) load() error {
	if err := s.state.Migrate("limit", steps...); err != nil {
		return err
	}
	return s.state.Read(context.Background(), func(tx *sql.Tx) error {
		if err := each(tx, "SELECT subject, state FROM limit_subjects", func(row *sql.Rows) error {
			var key, state string
			if err := row.Scan(&key, &state); err != nil {
				return err
			}
			sub, ok := parseSubject([]byte(state))
			switch {
			case !ok:
				s.log.Warn("limit.unreadable", "subject", key, "result", "it is counted anew")
			case strings.HasPrefix(key, "account "):
				s.accounts[key] = sub
			case len(s.clients) < maxClients:
				s.clients[key] = sub
			}
			return nil
		}); err != nil {
			return err
		}
		return each(tx, "SELECT address, since, reason FROM limit_closed", func(row *sql.Rows) error {
			var account, reason string
			var since int64
			if err := row.Scan(&account, &since, &reason); err != nil {
				return err
			}
			if a, err := address.Parse(account); err == nil {
				s.closed[a.Key()] = Closed{Account: a, Since: time.Unix(since, 0), Reason: reason}
			}
			return nil
		})
	})
}

func each(tx *sql.Tx, query string, do func(*sql.Rows) error) error {
	rows, err := tx.Query(query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := do(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// parseSubject reads what collect wrote.
func parseSubject(state []byte) (*subject, bool) {
	sub := &subject{}
	if json.Unmarshal(state, sub) != nil || !sub.Sent.valid() || !sub.Planned.valid() || len(sub.Planned) > maxPlanned || len(sub.Over) > offences || len(sub.Refused) > remembered {
		return nil, false
	}
	return sub, true
}
