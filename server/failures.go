package server

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"facteur/plugins/lua"
	"facteur/server/address"
	"facteur/server/hook"
	"facteur/server/statedb"
	"facteur/server/trace"
)

// quiet is how long the owner of a script is not told of its failures again.
const quiet = 24 * time.Hour

// failures tells the owners of scripts that these fail: of each at most once in quiet,
// which state.db remembers. One goroutine counts and tells; nobody waits for it.
//
// Who reads a notice may have the script that fails: failures over messages of this
// server itself are counted, but never lead to a notice.
type failures struct {
	server *Server
	db     *statedb.DB
	now    func() time.Time
	queue  chan failure
	stop   chan struct{}
	done   chan struct{}
	once   sync.Once

	known map[failing]*failureCount // of the goroutine
}

// failing is a script and its owner.
type failing struct{ script, owner string } // owner as address.Address.Key

// failureCount is what is known of it.
type failureCount struct {
	told  time.Time // zero: never
	count int       // since then
	dirty bool
}

// failure is one failure of a script.
type failure struct {
	script  string
	stage   hook.Stage
	err     string
	id      string          // of the message, "" without one
	box     address.Address // whose mail it was; zero where that is not known
	refused bool            // the script is required: the peer was put off
	own     bool            // over a message of this server
	// suspended: it did not run, for it used too much CPU within an hour
	suspended bool
}

// failureSteps makes the table (statedb.Migrate). Times are in seconds.
var failureSteps = []string{
	`CREATE TABLE script_failures (script TEXT NOT NULL, owner TEXT NOT NULL, told INTEGER NOT NULL, count INTEGER NOT NULL,
	PRIMARY KEY (script, owner)) WITHOUT ROWID`,
}

// openFailures reads who was told when. now may be nil.
func openFailures(s *Server, now func() time.Time) (*failures, error) {
	if now == nil {
		now = time.Now
	}
	f := &failures{server: s, db: s.state, now: now, queue: make(chan failure, 256), stop: make(chan struct{}), done: make(chan struct{}), known: make(map[failing]*failureCount)}
	if err := f.db.Migrate("failures", failureSteps...); err != nil {
		return nil, err
	}
	err := f.db.Write(context.Background(), func(tx *sql.Tx) error { // scripts come and go
		_, err := tx.Exec("DELETE FROM script_failures WHERE told < ?", now().Add(-30*quiet).Unix())
		return err
	})
	if err == nil {
		err = f.db.Read(context.Background(), f.read)
	}
	if err != nil {
		return nil, err
	}
	go f.serve()
	return f, nil
}

func (f *failures) read(tx *sql.Tx) error {
	rows, err := tx.Query("SELECT script, owner, told, count FROM script_failures")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var k failing
		var told int64
		n := &failureCount{}
		if err := rows.Scan(&k.script, &k.owner, &told, &n.count); err != nil {
			return err
		}
		n.told = time.Unix(told, 0)
		f.known[k] = n
	}
	return rows.Err()
}

// note takes the failures of a stage, without waiting.
func (f *failures) note(r trace.Run, res hook.Result) {
	for i, fail := range res.Failures {
		one := failure{script: fail.Script, stage: fail.Stage, err: fail.Err.Error(), id: r.ID, box: r.Box, own: r.Own}
		one.refused = res.Refusal != nil && i == len(res.Failures)-1 && res.Ran[len(res.Ran)-1].Err != nil
		one.suspended = errors.Is(fail.Err, lua.ErrSuspended)
		select {
		case f.queue <- one:
		default: // a flood: those that are in the queue tell enough
		}
	}
}

// close ends it, and writes the counts.
func (f *failures) close() {
	f.once.Do(func() { close(f.stop) })
	<-f.done
}

func (f *failures) serve() {
	defer close(f.done)
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	for {
		select {
		case one := <-f.queue:
			f.take(one)
		case <-tick.C:
			f.save()
		case <-f.stop:
			for len(f.queue) > 0 {
				f.take(<-f.queue)
			}
			f.save()
			return
		}
	}
}

// take counts a failure, and has its owner told when that is due.
func (f *failures) take(one failure) {
	owner := f.server.scriptOwner(one.script, one.box)
	k := failing{one.script, string(owner.Key())}
	n := f.known[k]
	if n == nil {
		n = &failureCount{}
		f.known[k] = n
	}
	n.count++
	n.dirty = true
	now := f.now()
	if one.own || now.Sub(n.told) < quiet {
		return
	}
	count, last := n.count, n.told
	n.told, n.count = now, 0
	if err := f.write(k, *n); err != nil { // twice a day rather than never
		f.server.log.Error("server.failures", "error", err)
	} else {
		n.dirty = false
	}
	live := f.server.live.Load()
	f.server.noticeLater(notice{
		to: []address.Address{owner}, subject: failureSubject(one), text: failureText(one, count, last, now.In(live.Location)),
	})
}

// save writes the counts that have changed.
func (f *failures) save() {
	for k, n := range f.known {
		if n.dirty && f.write(k, *n) == nil {
			n.dirty = false
		}
	}
}

func (f *failures) write(k failing, n failureCount) error {
	return f.db.Write(context.Background(), func(tx *sql.Tx) error {
		_, err := tx.Exec(`INSERT INTO script_failures VALUES (?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET told = excluded.told, count = excluded.count`, k.script, k.owner, n.told.Unix(), n.count)
		return err
	})
}

// scriptOwner returns who is told of a script: the account that has it among its own,
// else the postmaster.
func (s *Server) scriptOwner(script string, box address.Address) address.Address {
	live := s.live.Load()
	postmaster := live.Directory.Postmaster
	if postmaster.IsZero() {
		postmaster = postmasterAddress(live.Config)
	}
	if slices.Contains(live.Scripts, script) {
		return postmaster
	}
	for _, d := range live.Directory.Domains {
		if slices.Contains(d.Scripts, script) {
			return postmaster
		}
	}
	var owners []address.Address
	for _, a := range live.Directory.Accounts {
		if slices.Contains(a.Scripts, script) {
			if a.Address.Key() == box.Key() {
				return a.Address
			}
			owners = append(owners, a.Address)
		}
	}
	if len(owners) == 1 {
		return owners[0]
	}
	return postmaster
}

func failureSubject(one failure) string {
	if one.suspended {
		return "The script " + one.script + " is suspended"
	}
	return "The script " + one.script + " fails"
}

// failureText is what the owner of a script reads.
func failureText(one failure, count int, last, now time.Time) string {
	var b strings.Builder
	if !one.suspended {
		fmt.Fprintf(&b, "The script %s failed at the stage %s, at %s:\n\n", one.script, one.stage, now.Format("2006-01-02 15:04 MST"))
	} else {
		fmt.Fprintf(&b, "The script %s is suspended since %s, for an hour at most:\n\n", one.script, now.Format("2006-01-02 15:04 MST"))
	}
	fmt.Fprintf(&b, "  %s\n\n", strings.ReplaceAll(strings.TrimSpace(one.err), "\n", "\n  "))
	switch {
	case one.refused:
		b.WriteString("The script is required, so the sender was told to try again later.\n")
	case one.stage.Live():
		b.WriteString("All went on as if the script were not there.\n")
	default:
		b.WriteString("Nothing is lost: all mail is kept, as if the script were not there.\n")
	}
	if one.id != "" {
		fmt.Fprintf(&b, "The message is %[1]s. On the server, facteur trace %[1]s tells what happened to it.\n", one.id)
	}
	if !last.IsZero() && last.Unix() > 0 {
		fmt.Fprintf(&b, "It failed %s since the last notice, of %s.\n", times(count), last.In(now.Location()).Format("2006-01-02 15:04 MST"))
	}
	b.WriteString("\nfacteur hook test tries a script over a message. There is no other notice of this\nscript for a day.\n")
	return b.String()
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
