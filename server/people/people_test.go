package people

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/hook"
	"facteur/server/statedb"
)

var (
	ann = address.MustParse("ann@example.org")
	ben = address.MustParse("ben@example.org")
	eve = address.MustParse("Eve@Example.net")
)

// clock is a time that a test sets.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func open(t testing.TB, path string, c *clock) (*Memory, *statedb.DB) {
	t.Helper()
	db, err := statedb.Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	m, err := Open(db, c.now)
	if err != nil {
		t.Fatal(err)
	}
	return m, db
}

func contact(t *testing.T, m *Memory, box, who address.Address) hook.Contact {
	t.Helper()
	c, err := m.Contact(context.Background(), box, who)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func hasSent(t *testing.T, m *Memory, box address.Address, ids ...string) bool {
	t.Helper()
	ok, err := m.HasSent(context.Background(), box, ids)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

func everybody(address.Key) bool { return true }

func TestKnown(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	c := &clock{time.Unix(1_800_000_000, 0)}
	m, db := open(t, path, c)
	check := func(when string, m *Memory, box address.Address, want hook.Contact) {
		t.Helper()
		for _, who := range []string{"eve@example.net", "EVE@example.net"} {
			if got := contact(t, m, box, address.MustParse(who)); !got.Received.Equal(want.Received) || !got.Written.Equal(want.Written) || got.Name != "" {
				t.Errorf("%s: %s knows %s: %+v, want %+v", when, box, who, got, want)
			}
		}
	}
	check("at first", m, ann, hook.Contact{})
	received := c.at
	m.Received(ann, eve)
	check("at once", m, ann, hook.Contact{Received: received})
	c.at = c.at.Add(time.Hour)
	m.Wrote(ann, []address.Address{ben, eve}, []string{"1@example.org", "2@example.org"})
	check("at once", m, ann, hook.Contact{Received: received, Written: c.at})
	check("of another box", m, ben, hook.Contact{})
	if !hasSent(t, m, ann, "0@x", "2@example.org") || hasSent(t, m, ben, "1@example.org") || hasSent(t, m, ann, "3@example.org") || hasSent(t, m, ann) {
		t.Error("at once: the wrong threads are known")
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	m, _ = open(t, path, c)
	check("after a restart", m, ann, hook.Contact{Received: received, Written: c.at})
	if !hasSent(t, m, ann, "0@x", "2@example.org") || hasSent(t, m, ben, "1@example.org") {
		t.Error("after a restart: the wrong threads are known")
	}
	m.Received(ann, eve) // not in the cache of old knowledge alone
	check("again", m, ann, hook.Contact{Received: c.at, Written: c.at})
}

func TestPrune(t *testing.T) {
	c := &clock{time.Unix(1_800_000_000, 0)}
	path := filepath.Join(t.TempDir(), "state.db")
	m, db := open(t, path, c)
	prune := func(exists func(address.Key) bool) {
		t.Helper()
		if err := db.Close(); err != nil { // writes what is pending
			t.Fatal(err)
		}
		m, db = open(t, path, c)
		if err := m.Prune(context.Background(), exists); err != nil {
			t.Fatal(err)
		}
	}
	m.Wrote(ann, []address.Address{eve}, []string{"old@x"})
	m.Received(ben, eve)
	c.at = c.at.Add(keepSent + time.Second)
	m.Wrote(ann, nil, []string{"new@x"})
	prune(everybody)
	if hasSent(t, m, ann, "old@x") || !hasSent(t, m, ann, "new@x") {
		t.Error("not the old Message-IDs are gone")
	}
	if contact(t, m, ann, eve).Written.IsZero() {
		t.Error("forgotten too early")
	}
	prune(func(box address.Key) bool { return box != ann.Key() })
	if contact(t, m, ann, eve) != (hook.Contact{}) || hasSent(t, m, ann, "new@x") || contact(t, m, ben, eve).Received.IsZero() {
		t.Error("not the rows of the account that is gone are gone")
	}
	c.at = c.at.Add(keepPeople)
	prune(everybody)
	if contact(t, m, ben, eve) != (hook.Contact{}) {
		t.Error("kept for ever")
	}
}

func TestBounds(t *testing.T) {
	if testing.Short() {
		t.Skip("much work in one goroutine")
	}
	c := &clock{time.Unix(1_800_000_000, 0)}
	path := filepath.Join(t.TempDir(), "state.db")
	m, db := open(t, path, c)
	m.Wrote(ann, []address.Address{eve}, nil)
	for i := range maxPeople + 10 {
		c.at = c.at.Add(time.Second)
		m.Received(ann, address.MustParse(fmt.Sprintf("%d@example.net", i)))
		m.Wrote(ann, nil, []string{fmt.Sprint(i)})
	}
	if n := len(m.open.people) + len(m.open.sent); n > maxBatch {
		t.Errorf("%d notes in a batch", n)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	m, _ = open(t, path, c)
	if err := m.Prune(context.Background(), everybody); err != nil {
		t.Fatal(err)
	}
	if contact(t, m, ann, eve).Written.IsZero() {
		t.Error("who was written to went before others")
	}
	if !contact(t, m, ann, address.MustParse("10@example.net")).Received.IsZero() || contact(t, m, ann, address.MustParse("11@example.net")).Received.IsZero() {
		t.Error("not the oldest went")
	}
	if hasSent(t, m, ann, "9") || !hasSent(t, m, ann, "10") {
		t.Error("not the oldest Message-IDs went")
	}
	for i := range 3 * maxCached {
		contact(t, m, ann, address.MustParse(fmt.Sprintf("%d@example.com", i)))
	}
	if n := len(m.fresh) + len(m.old); n > 2*maxCached {
		t.Errorf("%d in the cache", n)
	}
}

func TestMany(t *testing.T) {
	c := &clock{time.Unix(1_800_000_000, 0)}
	m, _ := open(t, filepath.Join(t.TempDir(), "state.db"), c)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 50 {
				who := address.MustParse(fmt.Sprintf("%d@example.net", j))
				m.Received(ann, who)
				m.Wrote(ben, []address.Address{who}, []string{fmt.Sprint(i, j)})
				if contact(t, m, ann, who).Received.IsZero() || !hasSent(t, m, ben, fmt.Sprint(i, j)) {
					t.Error("not seen at once")
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkPeople(b *testing.B) {
	c := &clock{time.Unix(1_800_000_000, 0)}
	m, _ := open(b, filepath.Join(b.TempDir(), "state.db"), c)
	ctx := context.Background()
	b.Run("Received", func(b *testing.B) {
		for b.Loop() {
			m.Received(ann, eve)
		}
	})
	b.Run("Contact", func(b *testing.B) {
		for b.Loop() {
			if _, err := m.Contact(ctx, ann, eve); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Contact not in memory", func(b *testing.B) {
		for b.Loop() {
			if _, err := m.read(ctx, pair{ann.Key(), eve.Key()}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("HasSent", func(b *testing.B) {
		for b.Loop() {
			if _, err := m.HasSent(ctx, ann, []string{"1", "2"}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
