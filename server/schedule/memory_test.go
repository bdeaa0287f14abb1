package schedule

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/statedb"
)

func open(t *testing.T) *Memory {
	t.Helper()
	db, err := statedb.Open(filepath.Join(t.TempDir(), "state.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	m, err := Open(db)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestMemory: what is done once for a mailbox is not done again, unless it is long ago.
func TestMemory(t *testing.T) {
	m := open(t)
	ctx, now := context.Background(), time.Now()
	bob, carol := address.MustParse("bob@example.org"), address.MustParse("carol@example.org")
	to := address.MustParse("b@elsewhere.net")
	for n, c := range []struct {
		box  address.Address
		what Key
		at   time.Duration
		want bool
	}{
		{bob, SentOn("1", to), 0, true}, {bob, SentOn("1", to), 0, false}, {carol, SentOn("1", to), 0, true},
		{bob, SentOn("2", to), 0, true}, {bob, SentOn("1", carol), 0, true}, {bob, SentOn("1", to), kept + time.Hour, true},
	} {
		if got, err := m.Claim(ctx, c.box, c.what, now.Add(c.at)); got != c.want || err != nil {
			t.Errorf("%d: %v, %v", n, got, err)
		}
	}
	if err := m.Forget(ctx, carol, SentOn("1", to)); err != nil {
		t.Fatal(err)
	}
	if got, err := m.Claim(ctx, carol, SentOn("1", to), now); !got || err != nil {
		t.Errorf("after Forget: %v, %v", got, err)
	}
}

// TestMemoryCancelled: of what was cancelled the newest is known, to each mailbox its own.
func TestMemoryCancelled(t *testing.T) {
	m := open(t)
	ctx, now := context.Background(), time.Date(2026, 7, 1, 8, 0, 0, 0, time.UTC)
	bob, carol := address.MustParse("bob@example.org"), address.MustParse("carol@example.org")
	check := func(box address.Address, what Key, sequence int, stamp time.Time, want bool) {
		t.Helper()
		n, at, ok, err := m.Cancelled(ctx, box, what)
		if n != sequence || !at.Equal(stamp) || ok != want || err != nil {
			t.Errorf("%d, %v, %v, %v", n, at, ok, err)
		}
	}
	plan := Object("plan", "mailto:zoe@example.net")
	check(bob, plan, 0, time.Time{}, false)
	for _, stamp := range []time.Time{{}, now} {
		if err := m.Cancel(ctx, bob, plan, 3, stamp, now); err != nil {
			t.Fatal(err)
		}
		check(bob, plan, 3, stamp, true)
	}
	check(carol, plan, 0, time.Time{}, false)
	check(bob, Object("plan", "mailto:eve@example.net"), 0, time.Time{}, false)
	if err := m.Cancel(ctx, bob, Object("other", ""), 0, now, now.Add(kept+time.Hour)); err != nil {
		t.Fatal(err)
	}
	check(bob, plan, 0, time.Time{}, false)
}
