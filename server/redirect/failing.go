package redirect

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"facteur/server/address"
	"facteur/server/fault"
)

// failure is what is known of a target whose address is refused.
type failure struct {
	since, last time.Time // the first and the last refusal with no success between
	probe       time.Time // when a message may try it again, once it is paused
	reply       string
}

func (f failure) paused() bool { return !f.probe.IsZero() }

// Pause is a target that is not sent to for now.
type Pause struct {
	Forwarder, Target address.Address
	Since             time.Time // the first refusal
	Reply             string    // the last one
}

// Outcome is what became of a message that was sent on.
type Outcome struct {
	Entry             string // of the spool: the id of the message, with or without a number behind it
	Forwarder, Target address.Address
	Fault             *fault.Fault // nil: it was taken
	Final             bool         // nothing more is tried
}

// Told takes note of an outcome. It returns a Pause when the target is paused from now
// on. It does not wait; a crash loses the last second.
func (m *Memory) Told(o Outcome) (paused Pause, ok bool) {
	if o.Forwarder.IsZero() {
		return Pause{}, false
	}
	p := pair{o.Forwarder.Key(), o.Target.Key()}
	if o.Fault != nil && o.Final {
		m.forgetEntry(o.Entry, p.target)
	}
	switch {
	case o.Fault == nil:
		m.succeeded(p)
	case o.Final && isAddressFailure(o.Fault):
		if f, first := m.failed(p, o.Fault); first {
			return Pause{o.Forwarder, o.Target, f.since, f.reply}, true
		}
	}
	return Pause{}, false
}

// isAddressFailure tells whether an answer is about the address, and not about the
// message: X.1.x, X.2.1 (RFC 3463 3.2, 3.3).
func isAddressFailure(f *fault.Fault) bool {
	return f.Code >= 500 && (strings.HasPrefix(f.Status, "1.") || f.Status == "2.1")
}

// forgetEntry lets what came back go again.
func (m *Memory) forgetEntry(entry string, target address.Key) {
	id, _, _ := strings.Cut(entry, "-")
	m.db.Later(func(tx *sql.Tx) error {
		_, err := tx.Exec("DELETE FROM redirect_sent WHERE entry = ? AND target = ?", id, target)
		return err
	})
}

func (m *Memory) succeeded(p pair) {
	m.mu.Lock()
	_, was := m.failing[p]
	delete(m.failing, p)
	m.mu.Unlock()
	if !was {
		return
	}
	m.db.Later(func(tx *sql.Tx) error {
		_, err := tx.Exec("DELETE FROM redirect_failing WHERE forwarder = ? AND target = ?", p.forwarder, p.target)
		return err
	})
}

// maxFailing bounds the targets that fail: behind a catch-all there is one for each
// address that a stranger makes up, and scripts may choose any.
const maxFailing = 10_000

// failed notes a refusal. first tells that it pauses the target.
func (m *Memory) failed(p pair, why *fault.Fault) (f failure, first bool) {
	now := m.now()
	m.mu.Lock()
	f, ok := m.failing[p]
	if !ok || now.Sub(f.last) > forget {
		f = failure{since: now}
	}
	if !ok && len(m.failing) >= maxFailing {
		m.makeRoom(now)
	}
	f.last, f.reply = now, why.Enhanced()+" "+why.Text
	if first = !f.paused() && now.Sub(f.since) >= pauseOver; first {
		f.probe = now.Add(probeEach)
	}
	m.failing[p] = f
	m.mu.Unlock()
	m.save(p, f)
	return f, first
}

// makeRoom drops what is forgotten, then others until a tenth is free: first those that
// are not paused. m.mu is held.
func (m *Memory) makeRoom(now time.Time) {
	var gone []pair
	drop := func(those func(failure) bool, most int) {
		for p, f := range m.failing {
			if len(m.failing) <= most {
				return
			}
			if those(f) {
				delete(m.failing, p)
				gone = append(gone, p)
			}
		}
	}
	drop(func(f failure) bool { return now.Sub(f.last) > forget }, 0)
	drop(func(f failure) bool { return !f.paused() }, maxFailing*9/10)
	drop(func(failure) bool { return true }, maxFailing*9/10)
	m.db.Later(func(tx *sql.Tx) error {
		for _, p := range gone {
			if _, err := tx.Exec("DELETE FROM redirect_failing WHERE forwarder = ? AND target = ?", p.forwarder, p.target); err != nil {
				return err
			}
		}
		return nil
	})
}

// tries notes that a message goes to a target that was paused: the next one waits for
// another day. m.mu is held.
func (m *Memory) tries(p pair) {
	if f, ok := m.failing[p]; ok && f.paused() {
		f.probe = m.now().Add(probeEach)
		m.failing[p] = f
		m.save(p, f)
	}
}

func (m *Memory) save(p pair, f failure) {
	m.db.Later(func(tx *sql.Tx) error {
		_, err := tx.Exec(`INSERT INTO redirect_failing VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET since = excluded.since, last = excluded.last, probe = excluded.probe, reply = excluded.reply`,
			p.forwarder, p.target, f.since.Unix(), f.last.Unix(), seconds(f.probe), f.reply)
		return err
	})
}

// load reads the targets that fail, and drops those long forgotten.
func (m *Memory) load(ctx context.Context) error {
	old := m.now().Add(-forget).Unix()
	m.db.Later(func(tx *sql.Tx) error {
		_, err := tx.Exec("DELETE FROM redirect_failing WHERE last < ?", old)
		return err
	})
	return m.db.Read(ctx, func(tx *sql.Tx) error {
		rows, err := tx.Query("SELECT forwarder, target, since, last, probe, reply FROM redirect_failing WHERE last >= ?", old)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var p pair
			var since, last, probe int64
			var f failure
			if err := rows.Scan(&p.forwarder, &p.target, &since, &last, &probe, &f.reply); err != nil {
				return err
			}
			f.since, f.last, f.probe = time.Unix(since, 0), time.Unix(last, 0), fromSeconds(probe)
			m.failing[p] = f
		}
		return rows.Err()
	})
}

// seconds is a time as it is kept; 0 is the zero time.
func seconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

func fromSeconds(s int64) time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.Unix(s, 0)
}
