// Package report collects, sends, reads and sums up the reports by which mail
// servers tell each other what they saw: DMARC aggregate reports (RFC 7489 7.2,
// appendix C) and TLS reports (RFC 8460).
//
//   - collect.go, results.go: what comes in and goes out is counted, a row for each
//     kind of result, domain and day (UTC), written behind;
//   - daily.go: once a day what was counted the days before is sent to those who ask
//     for it in the DNS (rua.go), as a message (compose.go, mail.go) with an XML
//     (aggregate.go) or JSON (tlsrpt.go) file;
//   - filing.go, inbound.go: the reports of others about our domains are taken out of
//     the postmaster's way, unpacked (archive.go) and kept as rows;
//   - digest.go, words.go, weekly.go: what all that says, in plain words, for the
//     operator, each Monday and when asked.
//
// Everything is kept in the state database and bounded: rows for each domain and
// day, domains for each day, days. A Store may be used by several at once; it holds
// no lock but that of the one report that is being read.
//
// Not here: failure reports (ruf), reports over HTTPS (RFC 8460 5.4), deciding about
// mail (package senderauth), and finding out who may be trusted.
package report

import (
	"context"
	"database/sql"
	"log/slog"
	"time"

	"facteur/server/statedb"
)

// Kind is the kind of a report.
type Kind string

// The kinds.
const (
	DMARC Kind = "dmarc"
	TLS   Kind = "tls"
)

// The local-parts at which every domain takes reports.
const (
	DMARCLocal = "dmarc-reports"
	TLSLocal   = "tls-reports"
)

// The bounds of what is kept.
const (
	maxDomains  = 5000 // of a kind and day
	maxRows     = 2000 // of a kind, day and domain
	keepDays    = 35   // of what we counted
	keepReports = 100  // days, of what others reported
	maxReports  = 5000 // of others, that are kept
)

// Options are the parts of a Store.
type Options struct {
	DB  *statedb.DB
	Log *slog.Logger
	Now func() time.Time // nil: time.Now
}

// Store keeps what was counted and what others reported.
type Store struct {
	db  *statedb.DB
	log *slog.Logger
	now func() time.Time

	reading chan struct{} // has room for the one report that is being read
}

// Open returns the Store in a state database.
func Open(o Options) (*Store, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if err := o.DB.Migrate("report", schema...); err != nil {
		return nil, err
	}
	return &Store{db: o.DB, log: o.Log, now: o.Now, reading: make(chan struct{}, 1)}, nil
}

// schema has the steps to the newest tables. A day is the number of days since
// 1970 in UTC, a time the seconds since then.
var schema = []string{`
CREATE TABLE report_day (
	kind    TEXT NOT NULL,
	day     INTEGER NOT NULL,
	domain  TEXT NOT NULL,
	policy  TEXT NOT NULL,
	rows    INTEGER NOT NULL DEFAULT 0,
	dropped INTEGER NOT NULL DEFAULT 0,
	state   INTEGER NOT NULL DEFAULT 0,
	id      TEXT NOT NULL DEFAULT '',
	PRIMARY KEY (kind, day, domain)
) WITHOUT ROWID;
CREATE TABLE report_row (
	kind   TEXT NOT NULL,
	day    INTEGER NOT NULL,
	domain TEXT NOT NULL,
	row    TEXT NOT NULL,
	count  INTEGER NOT NULL,
	PRIMARY KEY (kind, day, domain, row)
) WITHOUT ROWID;
CREATE TABLE report_letter (
	day    INTEGER NOT NULL,
	domain TEXT NOT NULL,
	count  INTEGER NOT NULL,
	PRIMARY KEY (day, domain)
) WITHOUT ROWID;
CREATE TABLE report_in (
	number   INTEGER PRIMARY KEY,
	kind     TEXT NOT NULL,
	org      TEXT NOT NULL,
	id       TEXT NOT NULL,
	domain   TEXT NOT NULL,
	policy   TEXT NOT NULL,
	sender   TEXT NOT NULL,
	proven   INTEGER NOT NULL,
	began    INTEGER NOT NULL,
	ended    INTEGER NOT NULL,
	received INTEGER NOT NULL,
	UNIQUE (kind, org, id, domain)
);
CREATE INDEX report_in_received ON report_in (received);
CREATE TABLE report_in_row (
	number INTEGER NOT NULL REFERENCES report_in (number) ON DELETE CASCADE,
	row    TEXT NOT NULL,
	count  INTEGER NOT NULL,
	PRIMARY KEY (number, row)
) WITHOUT ROWID;
CREATE TABLE report_state (
	key   TEXT PRIMARY KEY,
	value INTEGER NOT NULL
) WITHOUT ROWID;
`}

const daySeconds = 24 * 60 * 60

// dayOf returns the day of a time, in UTC.
func dayOf(t time.Time) int64 { return t.Unix() / daySeconds }

// startOf returns the first second of a day.
func startOf(day int64) time.Time { return time.Unix(day*daySeconds, 0).UTC() }

// Forget deletes what is too old, and the oldest reports of others when there are
// too many.
func (s *Store) Forget(ctx context.Context) error {
	now := s.now()
	return s.db.Write(ctx, func(tx *sql.Tx) error {
		for _, q := range []struct {
			text string
			args []any
		}{
			{`DELETE FROM report_row WHERE day < ?`, []any{dayOf(now) - keepDays}},
			{`DELETE FROM report_day WHERE day < ?`, []any{dayOf(now) - keepDays}},
			{`DELETE FROM report_letter WHERE day < ?`, []any{dayOf(now) - keepDays}},
			{`DELETE FROM report_in WHERE received < ?`, []any{now.AddDate(0, 0, -keepReports).Unix()}},
			{`DELETE FROM report_in WHERE number <= (SELECT max(number) FROM report_in) - ?`, []any{maxReports}},
		} {
			if _, err := tx.ExecContext(ctx, q.text, q.args...); err != nil {
				return err
			}
		}
		return nil
	})
}

// state returns a remembered number; ok is false when there is none.
func (s *Store) state(ctx context.Context, key string) (value int64, ok bool, err error) {
	err = s.db.Read(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT value FROM report_state WHERE key = ?`, key)
		if err != nil {
			return err
		}
		defer rows.Close()
		if ok = rows.Next(); ok {
			err = rows.Scan(&value)
		}
		if err == nil {
			err = rows.Err()
		}
		return err
	})
	return value, ok, err
}

// remember keeps a number.
func (s *Store) remember(ctx context.Context, key string, value int64) error {
	return s.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO report_state (key, value) VALUES (?, ?)
			ON CONFLICT (key) DO UPDATE SET value = excluded.value`, key, value)
		return err
	})
}
