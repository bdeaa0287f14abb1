package report

import (
	"context"
	"database/sql"
	"hash/fnv"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"facteur/server/address"
	"facteur/server/envelope"
	"facteur/server/fault"
)

// DailyOptions are the parts of a Daily.
type DailyOptions struct {
	Store *Store
	// Inject takes a message of this server's own over. It may be repeated with the
	// same envelope ID.
	Inject func(context.Context, envelope.Envelope, envelope.Body) error
	Log    *slog.Logger
	Now    func() time.Time // nil: time.Now
}

// DailySettings are what a reload changes.
type DailySettings struct {
	Identity Identity
	Resolver Resolver
}

// Daily sends the reports of the days before, once a day.
type Daily struct {
	opts DailyOptions
	live atomic.Pointer[DailySettings]

	sending sync.Mutex // one round at a time
}

// NewDaily returns a Daily with its first settings; Run makes it work.
func NewDaily(o DailyOptions, first DailySettings) *Daily {
	if o.Now == nil {
		o.Now = time.Now
	}
	d := &Daily{opts: o}
	d.Apply(first)
	return d
}

// Apply changes the settings from the next report on.
func (d *Daily) Apply(s DailySettings) { d.live.Store(&s) }

const (
	spread  = 3 * time.Hour // after midnight: the world's servers shall not all report at once
	again   = time.Hour     // until what could not be sent is tried again
	giveUp  = 3             // days after which a report is not worth sending
	maxWait = 5 * time.Minute
)

// Run sends what is due, each day at a minute that differs from server to server and
// from day to day, until ctx ends. What was not sent while the server was off is
// sent when it runs again.
func (d *Daily) Run(ctx context.Context) {
	for {
		now := d.opts.Now()
		due := d.dueAt(dayOf(now))
		wait := due.Sub(now)
		if wait <= 0 {
			wait = d.dueAt(dayOf(now) + 1).Sub(now)
			if !d.Send(ctx) {
				wait = min(wait, again)
			}
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// dueAt returns when the reports of the days before a day are sent.
func (d *Daily) dueAt(day int64) time.Time {
	h := fnv.New64a()
	h.Write([]byte(d.live.Load().Identity.Hostname + strconv.FormatInt(day, 10))) // never fails
	minute := time.Duration(1+h.Sum64()%uint64(spread/time.Minute)) * time.Minute
	return startOf(day).Add(minute)
}

// Send sends the reports of all days that are over and not reported yet. It tells
// whether nothing is left to be tried again.
func (d *Daily) Send(ctx context.Context) (done bool) {
	d.sending.Lock()
	defer d.sending.Unlock()
	s := d.opts.Store
	if err := s.Forget(ctx); err != nil {
		d.opts.Log.Error("report.forget", "error", err)
	}
	today := dayOf(d.opts.Now())
	list, err := s.unsent(ctx, today)
	if err != nil {
		d.opts.Log.Error("report.pending", "error", err)
		return false
	}
	done = true
	for i := range list {
		if ctx.Err() != nil {
			return false
		}
		p := &list[i]
		log := d.opts.Log.With("kind", string(p.kind), "domain", p.domain, "day", startOf(p.day).Format(time.DateOnly))
		err := d.sendOne(ctx, p, log)
		switch {
		case err == nil:
		case fault.Temporary(err) && today-p.day <= giveUp:
			log.Warn("report.delayed", "error", err)
			done = false
			continue
		default:
			log.Warn("report.failed", "error", err)
		}
		if err := s.mark(ctx, p, stateDone); err != nil {
			log.Error("report.mark", "error", err)
			done = false
		}
	}
	return done
}

// The states of a day and domain.
const (
	stateOpen    = 0
	stateSending = 1 // it has an id: an attempt was made
	stateDone    = 2 // sent, or nobody wants it
)

// unsent lists what the days before today have for reports.
func (s *Store) unsent(ctx context.Context, today int64) ([]pending, error) {
	var list []pending
	err := s.db.Read(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT kind, day, domain, policy, dropped, id FROM report_day
			WHERE state <> ? AND day < ? ORDER BY day, kind, domain`, stateDone, today)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var p pending
			if err := rows.Scan(&p.kind, &p.day, &p.domain, &p.policy, &p.dropped, &p.id); err != nil {
				return err
			}
			list = append(list, p)
		}
		return rows.Err()
	})
	return list, err
}

// mark keeps the state and id of p.
func (s *Store) mark(ctx context.Context, p *pending, state int) error {
	return s.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE report_day SET state = ?, id = ? WHERE kind = ? AND day = ? AND domain = ?`,
			state, p.id, p.kind, p.day, p.domain)
		return err
	})
}

// sendOne sends one report. Its id is durable before it is sent, so that an attempt
// that a crash cut off is repeated under the same id, which intake and the receiver
// know.
func (d *Daily) sendOne(ctx context.Context, p *pending, log *slog.Logger) error {
	ctx, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	live := d.live.Load()
	if p.id == "" {
		p.id = envelope.NewID()
	}
	l := &letter{
		Identity: live.Identity, kind: p.kind, domain: p.domain, id: p.id, begin: p.begin(), end: p.end(), date: d.opts.Now().UTC(),
	}
	to, err := d.compose(ctx, live, p, l, log)
	if err != nil || len(to) == 0 {
		return err
	}
	if err := d.opts.Store.mark(ctx, p, stateSending); err != nil {
		return err
	}
	body, err := l.address(to)
	if err != nil {
		return err
	}
	env := envelope.Envelope{ID: p.id, Received: l.date} // the null reverse-path: nobody wants to hear of a report that bounced
	for _, a := range l.to {
		env.Recipients = append(env.Recipients, envelope.Recipient{ForwardPath: a, Notify: envelope.NotifyNever})
	}
	if err := d.opts.Inject(ctx, env, envelope.Bytes(body)); err != nil {
		return err
	}
	log.Info("report.sent", "id", p.id, "recipients", len(l.to))
	return d.opts.Store.posted(ctx, dayOf(l.date), l.to)
}

// posted counts the letters of a day by the domains that they went to.
func (s *Store) posted(ctx context.Context, day int64, to []address.Address) error {
	return s.db.Write(ctx, func(tx *sql.Tx) error {
		for _, a := range to {
			if _, err := tx.ExecContext(ctx, `INSERT INTO report_letter (day, domain, count) VALUES (?, ?, 1)
				ON CONFLICT (day, domain) DO UPDATE SET count = count + 1`, day, string(a.Domain)); err != nil {
				return err
			}
		}
		return nil
	})
}

// lettersOnly tells whether nothing but our own reports went to a domain on a day, and
// went well: a report on that would be answered by one, each day, for ever.
func (s *Store) lettersOnly(ctx context.Context, p *pending, r *TLSReport) (bool, error) {
	var sessions, letters int64
	for _, policy := range r.Policies {
		if policy.Summary.Failed > 0 {
			return false, nil
		}
		sessions += policy.Summary.Successful
	}
	err := s.db.Read(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `SELECT coalesce(sum(count), 0) FROM report_letter WHERE day = ? AND domain = ?`, p.day, p.domain).Scan(&letters)
	})
	return sessions <= letters, err
}

// compose makes the file of a report, and finds out who wants it. Nobody is no error.
func (d *Daily) compose(ctx context.Context, live *DailySettings, p *pending, l *letter, log *slog.Logger) ([]Destination, error) {
	var uris, refused []string
	var format func() ([]byte, error)
	switch p.kind {
	case TLS:
		report, err := d.opts.Store.tlsReport(ctx, p, live.Identity)
		if err != nil {
			return nil, err
		}
		if quiet, err := d.opts.Store.lettersOnly(ctx, p, report); err != nil || quiet {
			return nil, err
		}
		if uris, err = wantsTLS(ctx, live.Resolver, p.domain); err != nil {
			return nil, unknown(err)
		}
		format = report.Format
	default:
		report, rua, err := d.opts.Store.feedback(ctx, p, live.Identity)
		if err != nil {
			return nil, err
		}
		uris, format = rua, report.Format
	}
	to, skipped := parseURIs(uris)
	if p.kind == DMARC {
		var err error
		if to, refused, err = agreed(ctx, live.Resolver, p.domain, to); err != nil {
			return nil, unknown(err)
		}
	}
	for _, why := range append(skipped, refused...) {
		log.Info("report.skipped", "why", why)
	}
	if len(to) == 0 {
		return nil, nil
	}
	var err error
	l.file, err = format()
	return to, err
}

// unknown is the failure of a look-up, which is tried again.
func unknown(err error) error { return fault.Wrap(fault.Unavailable, "", err) }

// address chooses the places that take a message of this size, and writes it. When
// there is none, they all get a message that tells so.
func (l *letter) address(to []Destination) ([]byte, error) {
	all := make([]address.Address, 0, len(to))
	for _, t := range to {
		if !t.Address.NeedsUTF8() {
			all = append(all, t.Address)
		}
	}
	l.to = all
	body, err := l.format()
	if err != nil {
		return nil, err
	}
	l.to = nil
	for _, t := range to {
		if !t.Address.NeedsUTF8() && (t.Max == 0 || int64(len(body)) <= t.Max) {
			l.to = append(l.to, t.Address)
		}
	}
	switch {
	case len(all) == 0:
		return nil, fault.New(fault.NotPossible, "No place that this server can write to")
	case len(l.to) == 0:
		l.to = all
		return l.tooLarge(len(body)), nil
	}
	return l.format()
}
