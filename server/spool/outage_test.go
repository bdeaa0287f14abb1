package spool

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"facteur/server/address"
	"facteur/server/envelope"
	"facteur/server/safefile"
)

// crowdedNet is an Attempter that counts what goes on at once. Some domains do not
// answer.
type crowdedNet struct {
	mu                 sync.Mutex
	running            map[address.Domain]int
	total              int
	most, mostOfOne    int
	begun              map[int64]int // attempts by second
	fresh              []time.Duration
	sent, tried, waits int
}

func (n *crowdedNet) Attempt(_ context.Context, it Item) []Result {
	dead := it.Domain[0] == 'x'
	n.mu.Lock()
	n.running[it.Domain]++
	n.total++
	n.tried++
	n.most, n.mostOfOne = max(n.most, n.total), max(n.mostOfOne, n.running[it.Domain])
	if it.ID[0] == 'f' {
		n.fresh = append(n.fresh, time.Since(it.Envelope.Received))
	} else {
		n.begun[time.Now().Unix()]++
	}
	n.mu.Unlock()
	if dead {
		time.Sleep(30 * time.Second)
	} else {
		time.Sleep(500 * time.Millisecond)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.running[it.Domain]--
	n.total--
	res := make([]Result, len(it.Recipients))
	for i := range res {
		if dead {
			res[i].Fault = busy
			n.waits++
		} else {
			n.sent++
		}
	}
	return res
}

// TestOutage starts a server that was off for a day: 10,000 messages to 200 domains are
// overdue, and new ones come in. Ten of the domains do not answer.
func TestOutage(t *testing.T) {
	const entries, domains, dead = 10_000, 200, 10
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		n := &crowdedNet{running: make(map[address.Domain]int), begun: make(map[int64]int)}
		o := Options{
			Dir: dir, FS: safefile.Unsynced{FS: safefile.OS}, Log: slog.New(slog.DiscardHandler), Attempt: n, Idle: true,
			Inject: func(context.Context, envelope.Envelope, envelope.Body) error { return nil },
		}
		s, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		add := func(id, to string) {
			d, err := safefile.NewDraft(o.FS, filepath.Join(dir, "tmp"))
			if err != nil {
				t.Fatal(err)
			}
			defer d.Discard()
			if _, err := d.Write([]byte(content)); err != nil {
				t.Fatal(err)
			}
			p, err := s.Add(t.Context(), entry(id, to), d)
			if err != nil {
				t.Fatal(err)
			}
			p.Release()
		}
		for i := range entries {
			domain := fmt.Sprintf("d%d.example", i%domains)
			if i%domains < dead {
				domain = "x" + domain
			}
			add(fmt.Sprintf("m%d", i), "bob@"+domain)
		}
		s.Close(t.Context())
		time.Sleep(24 * time.Hour)

		o.Idle = false
		start := time.Now()
		if s, err = Open(o); err != nil {
			t.Fatal(err)
		}
		for i := range 60 { // one a second, while the backlog goes
			time.Sleep(time.Second)
			add(fmt.Sprintf("f%d", i), fmt.Sprintf("bob@d%d.example", dead+i))
		}
		good := entries/domains*(domains-dead) + 60
		var emptied time.Duration
		for emptied == 0 && time.Since(start) < 12*time.Hour {
			time.Sleep(time.Second)
			n.mu.Lock()
			if n.sent == good {
				emptied = time.Since(start)
			}
			n.mu.Unlock()
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		s.Close(ctx)
		n.mu.Lock()
		defer n.mu.Unlock()
		mostBegun := 0
		for _, c := range n.begun {
			mostBegun = max(mostBegun, c)
		}
		var slowest time.Duration
		for _, d := range n.fresh {
			slowest = max(slowest, d)
		}
		t.Logf("%d overdue messages to %d domains, %d of which do not answer: at most %d attempts at once, %d to one domain, %d begun in a second;"+
			" what can be sent is sent after %v; fresh mail waited %v at most", entries, domains, dead, n.most, n.mostOfOne, mostBegun, emptied, slowest)
		if n.most > 40 || n.mostOfOne > 4 || mostBegun > 60 || n.sent != good || slowest > time.Second || len(n.fresh) != 60 {
			t.Errorf("%d at once, %d to one domain, %d begun in a second, %d of %d sent, %d fresh ones, %v", n.most, n.mostOfOne, mostBegun, n.sent, good, len(n.fresh), slowest)
		}
	})
}
