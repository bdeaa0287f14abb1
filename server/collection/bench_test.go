package collection

import (
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"facteur/server/safefile"
)

// benchmark opens a store on the real disk with a calendar of n events, one an hour.
func benchmark(b *testing.B, n int) *Collection {
	dir := b.TempDir()
	s, err := Open(Options{
		Dir: filepath.Join(dir, "domains"), Tmp: filepath.Join(dir, "tmp"), Index: index,
		Defaults: []Default{{Name: "calendar", Kind: Calendar}},
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	h, err := s.Home(alice)
	if err != nil {
		b.Fatal(err)
	}
	c, err := h.Open("calendar")
	if err != nil {
		b.Fatal(err)
	}
	for i := range n {
		if err := os.WriteFile(filepath.Join(dir, "domains/example.org/alice/calendars/calendar", benchHref(i)), event(i), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	if snap, err := c.Snapshot(); err != nil || snap.Len() != n {
		b.Fatal(snap.Len(), err)
	}
	return c
}

func benchHref(i int) string { return fmt.Sprintf("%08d-8f14-4ac1-9d0b-1f2e3d4c5b6a.ics", i) }

var benchStart = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

func event(i int) []byte {
	at := benchStart.Add(time.Duration(i) * time.Hour)
	return fmt.Appendf(nil, "BEGIN:VCALENDAR\nUID:%08d@example.org\nKIND:VEVENT\nFIRST:%s\nLAST:%s\nX:%0500d\n",
		i, at.Format(time.RFC3339), at.Add(time.Hour).Format(time.RFC3339), i)
}

func BenchmarkPut(b *testing.B) {
	for _, n := range []int{2000, 20000} {
		for _, writers := range []int{1, 10} {
			b.Run(fmt.Sprintf("%d/writers=%d", n, writers), func(b *testing.B) {
				c := benchmark(b, n)
				next := atomic.Int64{}
				next.Store(int64(n))
				b.ResetTimer()
				putAll(b, c, &next, writers)
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "puts/s")
			})
		}
	}
}

func putAll(b *testing.B, c *Collection, next *atomic.Int64, writers int) {
	var left atomic.Int64
	left.Store(int64(b.N))
	done := make(chan error, writers)
	for range writers {
		go func() {
			for left.Add(-1) >= 0 {
				i := int(next.Add(1))
				if _, _, err := c.Put(benchHref(i), event(i), Condition{}); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range writers {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	for _, n := range []int{2000, 20000, 50000} {
		c := benchmark(b, n)
		b.Run(fmt.Sprintf("%d/etags", n), func(b *testing.B) {
			for b.Loop() {
				s, err := c.Snapshot()
				if err != nil {
					b.Fatal(err)
				}
				count := 0
				for e := range s.All() {
					count += len(e.ETag)
				}
				if count == 0 {
					b.Fatal("none")
				}
			}
		})
		b.Run(fmt.Sprintf("%d/month", n), func(b *testing.B) {
			for b.Loop() {
				s, err := c.Snapshot()
				if err != nil {
					b.Fatal(err)
				}
				count := 0
				for range s.Query(benchStart.AddDate(0, 1, 0), benchStart.AddDate(0, 2, 0), "VEVENT") {
					count++
				}
				if count < 600 || count > 750 {
					b.Fatal(count)
				}
			}
		})
		b.Run(fmt.Sprintf("%d/changes", n), func(b *testing.B) {
			s, err := c.Snapshot()
			if err != nil {
				b.Fatal(err)
			}
			c.store.opt.FS = safefile.Unsynced{FS: safefile.OS}
			for i := range 10 {
				if _, _, err := c.Put(benchHref(i*100), append(event(i*100), "PROP:new"...), Condition{}); err != nil {
					b.Fatal(err)
				}
			}
			token := s.Token()
			for b.Loop() {
				s, err := c.Snapshot()
				if err != nil {
					b.Fatal(err)
				}
				if ch, err := s.Changes(token, 0); err != nil || len(ch.Changed) < 10 || len(ch.Changed) > 20 {
					b.Fatal(len(ch.Changed), err)
				}
			}
		})
		b.Run(fmt.Sprintf("%d/scan", n), func(b *testing.B) {
			for b.Loop() {
				c.scanMu.Lock()
				err := c.scanOnce()
				c.scanMu.Unlock()
				if err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("%d/open", n), func(b *testing.B) {
			for b.Loop() {
				c.unload(-1)
				if s, err := c.Snapshot(); err != nil || s.Len() != n {
					b.Fatal(s.Len(), err)
				}
			}
		})
		b.Run(fmt.Sprintf("%d/rebuild", n), func(b *testing.B) {
			for b.Loop() {
				c.unload(-1)
				os.Remove(c.at.Load().index)
				if s, err := c.Snapshot(); err != nil || s.Len() != n {
					b.Fatal(s.Len(), err)
				}
			}
		})
	}
}

// BenchmarkReader reads 100 objects as a multiget does.
func BenchmarkReader(b *testing.B) {
	c := benchmark(b, 2000)
	run := func(b *testing.B, before func()) {
		for b.Loop() {
			before()
			d := c.Reader()
			for i := range 100 {
				if _, _, err := d.Read(benchHref(i)); err != nil {
					b.Fatal(err)
				}
			}
			d.Close()
		}
	}
	b.Run("files", func(b *testing.B) { run(b, c.store.contents.forget) })
	b.Run("memory", func(b *testing.B) { run(b, func() {}) })
}
