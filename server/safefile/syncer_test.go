package safefile

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// gate is an FS whose SyncDir waits.
type gate struct {
	FS
	enter chan string
	leave chan error
}

func (g *gate) SyncDir(path string) error {
	g.enter <- path
	return <-g.leave
}

func TestSyncerCombines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{enter: make(chan string), leave: make(chan error)}
		s := NewSyncer(g)
		var ended atomic.Int32
		var wg sync.WaitGroup
		start := func(dir string, want error) {
			wg.Go(func() {
				if err := s.Sync(dir); !errors.Is(err, want) {
					t.Errorf("%s: %v, want %v", dir, err, want)
				}
				ended.Add(1)
			})
		}
		broken := errors.New("broken")
		start("a", nil)
		<-g.enter // the first sync of a has begun
		for range 5 {
			start("a", broken)
		}
		start("b", nil)
		if dir := <-g.enter; dir != "b" {
			t.Fatal("a second sync of a began before the first ended:", dir)
		}
		synctest.Wait()
		if ended.Load() != 0 {
			t.Fatal("a call returned before its sync ended")
		}
		g.leave <- nil
		g.leave <- nil
		if dir := <-g.enter; dir != "a" {
			t.Fatal(dir)
		}
		synctest.Wait()
		if ended.Load() != 2 {
			t.Fatal("calls share a sync that had begun before them:", ended.Load())
		}
		start("a", nil) // too late for the one that runs
		synctest.Wait()
		g.leave <- broken
		<-g.enter
		synctest.Wait()
		if ended.Load() != 7 {
			t.Fatal(ended.Load())
		}
		g.leave <- nil
		wg.Wait()
		if len(s.dirs) != 0 {
			t.Error("state is kept of a directory that nobody syncs")
		}
	})
}

func TestSyncerConcurrent(t *testing.T) {
	var running, syncs atomic.Int32
	s := NewSyncer(&counting{running: &running, syncs: &syncs, t: t})
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 200 {
				if err := s.Sync("a"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := syncs.Load(); n == 0 || n > 16*200 {
		t.Error(n)
	}
}

// counting is an FS that allows one SyncDir at a time.
type counting struct {
	FS
	running, syncs *atomic.Int32
	t              *testing.T
}

func (c *counting) SyncDir(string) error {
	if c.running.Add(1) != 1 {
		c.t.Error("two syncs of a directory at once")
	}
	c.syncs.Add(1)
	c.running.Add(-1)
	return nil
}
