package redirect

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"facteur/server/address"
)

// Senders is the srs.Store of a Memory.
type Senders struct{ *Memory }

// Keep is that of srs.Store.
func (s Senders) Keep(ctx context.Context, id string, sender address.Address, until time.Time) error {
	now := s.now().Unix()
	return s.db.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.Exec("DELETE FROM srs_sender WHERE until < ?", now); err != nil {
			return err
		}
		_, err := tx.Exec("INSERT INTO srs_sender VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET until = excluded.until", id, sender.String(), until.Unix())
		return err
	})
}

// Find is that of srs.Store.
func (s Senders) Find(ctx context.Context, id string) (sender address.Address, ok bool, err error) {
	var text string
	err = s.db.Read(ctx, func(tx *sql.Tx) error {
		return tx.QueryRow("SELECT address FROM srs_sender WHERE id = ?", id).Scan(&text)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return address.Address{}, false, nil
	}
	if err != nil {
		return address.Address{}, false, err
	}
	sender, err = address.Parse(text)
	return sender, err == nil, err
}
