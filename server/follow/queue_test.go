package follow

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"facteur/server/address"
)

// TestQueueFair: a mailbox with much to do does not hold up another, and only one piece of
// a mailbox is worked on at a time.
func TestQueueFair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue("test", 100, slog.New(slog.DiscardHandler), time.Now)
		var mu sync.Mutex
		var order []string
		busy := make(map[address.Key]bool)
		ended := 0
		put := func(box address.Key, n int) {
			q.put(batch{box: box, n: n, done: func() { mu.Lock(); ended++; mu.Unlock() }, do: func(_ context.Context, i int) {
				mu.Lock()
				if busy[box] {
					t.Error("two at a time")
				}
				busy[box] = true
				order = append(order, fmt.Sprint(box, i))
				mu.Unlock()
				time.Sleep(time.Second)
				mu.Lock()
				busy[box] = false
				mu.Unlock()
			}})
		}
		put("a", 30)
		put("a", 5)
		put("b", 2)
		ctx, cancel := context.WithCancel(context.Background())
		go q.work(ctx)
		go q.work(ctx)
		time.Sleep(10500 * time.Millisecond)
		mu.Lock()
		if got := strings.Join(order, " "); !strings.Contains(got, "b1") || strings.Index(got, "b1") > strings.Index(got, "a3") {
			t.Error(got)
		}
		mu.Unlock()
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(order) != 37 || ended != 3 || q.waiting != 0 || len(q.lanes) != 0 {
			t.Errorf("%d done, %d ended, %d wait", len(order), ended, q.waiting)
		}
		put("c", 10)
		time.Sleep(2500 * time.Millisecond)
		cancel()
		synctest.Wait()
		time.Sleep(time.Second)
		synctest.Wait()
		q.close()
		put("d", 1)
		if ended != 5 || len(order) != 40 {
			t.Errorf("%d ended, %d done", ended, len(order))
		}
	})
}

// TestQueueBounds: what is too much is dropped, with one line a minute, and never waits; a
// mailbox alone can't fill the queue.
func TestQueueBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		q := newQueue("test", 100, slog.New(slog.NewTextHandler(io.Writer(&log), nil)), time.Now)
		ended := 0
		put := func(box address.Key, n int) {
			q.put(batch{box: box, n: n, do: func(context.Context, int) {}, done: func() { ended++ }})
		}
		put("a", 50_000)
		if q.waiting != 50 {
			t.Errorf("%d wait", q.waiting)
		}
		put("a", 1)
		put("b", 40)
		put("c", 40)
		put("d", 1)
		if q.waiting != 100 || ended != 2 {
			t.Errorf("%d wait, %d ended", q.waiting, ended)
		}
		if n := strings.Count(log.String(), "follow.dropped"); n != 1 {
			t.Errorf("%d lines: %s", n, log.String())
		}
		time.Sleep(2 * time.Minute)
		put("a", 1)
		if n := strings.Count(log.String(), "follow.dropped"); n != 2 || !strings.Contains(log.String(), "messages=33") {
			t.Errorf("%d lines: %s", n, log.String())
		}
		q.close()
		if ended != 6 {
			t.Errorf("%d ended", ended)
		}
	})
}
