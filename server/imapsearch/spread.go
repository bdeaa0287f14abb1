package imapsearch

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"
)

const (
	workers = 2
	// maxShare is how many messages a worker takes at a time: enough that what
	// is cached of them is read in order.
	maxShare = 256

	progressEvery = 10 * time.Second
)

// watch tells how far a search is.
type watch struct {
	env   *Env
	done  atomic.Int64
	kept  atomic.Int64 // octets
	total int
}

// spread calls work from at most two goroutines, which share the numbers below
// n: next gives each a range of them, an empty one at the end. It returns when
// all have ended, with the first error, which ends the context of the others.
// Meanwhile it tells of the progress.
func (w *watch) spread(ctx context.Context, n int, work func(ctx context.Context, next func() (from, to int)) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	share := min(max(n/(8*workers), 1), maxShare)
	var taken atomic.Int64
	next := func() (from, to int) {
		to = int(taken.Add(int64(share)))
		return min(to-share, n), min(to, n)
	}
	many := min(workers, (n+share-1)/share)
	ended := make(chan error, many)
	for range many {
		go func() { ended <- guard(func() error { return work(ctx, next) }) }()
	}
	every := w.env.ProgressEvery
	if every <= 0 {
		every = progressEvery
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	var first error
	for many > 0 {
		select {
		case err := <-ended:
			many--
			if err != nil && first == nil {
				first = err
				cancel()
			}
		case <-tick.C:
			if w.env.Progress != nil {
				w.env.Progress(int(w.done.Load()), w.total)
			}
		}
	}
	return first
}

// guard makes a panic an error: a message that can't be read ends one search and
// not all sessions.
func guard(work func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return work()
}
