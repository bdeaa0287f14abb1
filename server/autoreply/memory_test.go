package autoreply

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"facteur/server/statedb"
)

// memory is a Memory with a clock of its own.
type memory struct {
	*testing.T
	*Memory
	path string
	db   *statedb.DB
	time time.Time
}

func newMemory(t *testing.T) *memory {
	m := &memory{T: t, path: filepath.Join(t.TempDir(), "state.db"), time: time.Date(2026, 12, 24, 12, 0, 0, 0, time.UTC)}
	m.open()
	t.Cleanup(func() { m.db.Close() })
	return m
}

func (m *memory) open() {
	m.Helper()
	var err error
	if m.db, err = statedb.Open(m.path, nil); err != nil {
		m.Fatal(err)
	}
	if m.Memory, err = Open(m.db, func() time.Time { return m.time }); err != nil {
		m.Fatal(err)
	}
}

func (m *memory) restart() {
	m.Helper()
	if err := m.db.Close(); err != nil {
		m.Fatal(err)
	}
	m.open()
}

func (m *memory) wants(what string, c Claim, want Reason) {
	m.Helper()
	if why, err := m.Claim(context.Background(), c); why != want || err != nil {
		m.Errorf("%s: %q, %v, want %q", what, why, err, want)
	}
}

func claim(to, handle string) Claim {
	return Claim{Sort: Replies, Box: addr("alice@example.org"), To: addr(to), Handle: []byte(handle), Period: 7 * day}
}

// TestOnce is rule 6: once for each sender and handle in so many days, also after a restart.
func TestOnce(t *testing.T) {
	m := newMemory(t)
	first := claim("z@example.net", "a")
	m.wants("first", first, "")
	m.wants("at once", first, Answered)
	m.wants("in other letters", claim("Z@EXAMPLE.net", "a"), Answered)
	m.wants("another sender", claim("y@example.net", "a"), "")
	m.wants("another text", claim("z@example.net", "b"), "")
	other := first
	other.Box = addr("bob@example.org")
	m.wants("another mailbox", other, "")
	m.restart()
	m.wants("after a restart", first, Answered)
	m.time = m.time.Add(7*day - time.Second)
	m.wants("on the last day", first, Answered)
	m.restart()
	m.time = m.time.Add(time.Second)
	m.wants("after 7 days", first, "")
	m.wants("and again", first, Answered)
	longer := first
	longer.Period = 30 * day
	m.time = m.time.Add(20 * day)
	m.wants("within 30 days", longer, Answered)
	m.wants("but not within 7", first, "")
}

// TestLimits: 100 replies in 24 hours a mailbox, and as many notifications as redirects.
func TestLimits(t *testing.T) {
	m := newMemory(t)
	for i := range RepliesPerDay {
		m.time = m.time.Add(time.Minute)
		m.wants("one of 100", claim(fmt.Sprintf("z%d@example.net", i), "a"), "")
	}
	m.wants("the 101st", claim("y@example.net", "a"), Over)
	other := claim("y@example.net", "a")
	other.Box = addr("bob@example.org")
	m.wants("of another mailbox", other, "")
	m.time = m.time.Add(day - (RepliesPerDay-1)*time.Minute)
	m.wants("when the first is a day ago", claim("y@example.net", "a"), "")
	m.wants("and then", claim("x@example.net", "a"), Over)

	notice := func(i int) Claim {
		return Claim{Sort: Notices, Box: addr("alice@example.org"), To: addr("pager@example.net"), Handle: []byte{byte(i), byte(i >> 8)}, Period: day}
	}
	for i := range NoticesPerHour {
		m.wants("a notification", notice(i), "")
	}
	m.wants("the 201st", notice(1000), Over)
	m.time = m.time.Add(time.Hour)
	m.wants("an hour later", notice(1000), "")
}

// TestConcurrent: of 100 claims at once one is granted.
func TestConcurrent(t *testing.T) {
	m := newMemory(t)
	var granted atomic.Int32
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			why, err := m.Claim(context.Background(), claim("z@example.net", "a"))
			switch {
			case err != nil:
				t.Error(err)
			case why == "":
				granted.Add(1)
			}
		})
	}
	wg.Wait()
	if granted.Load() != 1 {
		t.Errorf("%d were granted", granted.Load())
	}
}

// TestForget: what could not be queued may be sent the next time, and does not count.
func TestForget(t *testing.T) {
	m := newMemory(t)
	for i := range RepliesPerDay {
		m.wants("one of 100", claim(fmt.Sprintf("z%d@example.net", i), "a"), "")
	}
	if err := m.Forget(context.Background(), claim("z7@example.net", "a")); err != nil {
		t.Fatal(err)
	}
	m.wants("again", claim("z7@example.net", "a"), "")
	m.wants("one more", claim("y@example.net", "a"), Over)
}

// TestPruned: nothing is kept for ever.
func TestPruned(t *testing.T) {
	m := newMemory(t)
	for i := range 50 {
		m.wants("one", claim(fmt.Sprintf("z%d@example.net", i), "a"), "")
	}
	m.time = m.time.Add(MaxDays*day + time.Second)
	m.wants("much later", claim("y@example.net", "a"), "")
	for _, table := range []string{"autoreply_last", "autoreply_sent"} {
		var n int
		err := m.db.Read(context.Background(), func(tx *sql.Tx) error { return tx.QueryRow("SELECT count(*) FROM " + table).Scan(&n) })
		if n != 1 || err != nil {
			t.Errorf("%s has %d rows, %v", table, n, err)
		}
	}
}

// TestClosed: without the disk nothing is granted.
func TestClosed(t *testing.T) {
	m := newMemory(t)
	if err := m.db.Close(); err != nil {
		t.Fatal(err)
	}
	if why, err := m.Claim(context.Background(), claim("z@example.net", "a")); err == nil {
		t.Errorf("granted without a memory: %q", why)
	}
	m.open()
}
