package mailbox

import (
	"bytes"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"facteur/server/safefile"
)

// benchStore opens a store for a benchmark, with a number of mailboxes.
func benchStore(b *testing.B, mailboxes int) (*Store, []*Mailbox) {
	b.Helper()
	dir := b.TempDir()
	s, err := Open(Options{Dir: filepath.Join(dir, "domains"), Tmp: filepath.Join(dir, "tmp")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	h, err := s.Home(alice)
	if err != nil {
		b.Fatal(err)
	}
	var all []*Mailbox
	for i := range mailboxes {
		name := fmt.Sprint("m", i)
		if err := h.Create(name, ""); err != nil {
			b.Fatal(err)
		}
		m, err := h.Mailbox(name)
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, m)
	}
	return s, all
}

// cpu is the CPU time of the process.
func cpu() time.Duration {
	var r syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// heap is the memory in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

var message = bytes.Repeat([]byte("A line of a message, 32 octets.\r\n"), 128) // 4 KiB

func deliver(s *Store, m *Mailbox) error {
	d, err := s.Draft()
	if err != nil {
		return err
	}
	defer d.Discard()
	d.Write(message)
	if _, err := m.Add(d, AddOptions{Last: true}); err != nil {
		return err
	}
	return m.Sync()
}

// run calls f b.N times from a number of goroutines and reports the CPU time.
func run(b *testing.B, workers int, f func(i int) error) {
	b.ReportAllocs()
	b.ResetTimer()
	used := cpu()
	var n atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := n.Add(1); i <= int64(b.N); i = n.Add(1) {
				if err := f(int(i)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64((cpu()-used).Microseconds())/float64(b.N), "cpu-µs/op")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
}

// BenchmarkAdd measures a delivery: a draft of 4 KiB, Add and Sync.
func BenchmarkAdd(b *testing.B) {
	for _, mailboxes := range []int{1, 20} {
		for _, workers := range []int{1, 8, 64} {
			b.Run(fmt.Sprintf("mailboxes=%d/workers=%d", mailboxes, workers), func(b *testing.B) {
				s, all := benchStore(b, mailboxes)
				run(b, workers, func(i int) error { return deliver(s, all[i%mailboxes]) })
			})
		}
	}
}

// BenchmarkAddViewed is the same with a session that has the mailbox selected.
func BenchmarkAddViewed(b *testing.B) {
	s, all := benchStore(b, 1)
	v, err := all[0].View()
	if err != nil {
		b.Fatal(err)
	}
	defer v.Close()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-v.C:
				v.Next()
			case <-stop:
				return
			}
		}
	})
	run(b, 8, func(int) error { return deliver(s, all[0]) })
	close(stop)
	wg.Wait()
}

// filled makes a mailbox of n messages, as links of one file.
func filled(b *testing.B, n int) *Mailbox {
	b.Helper()
	s, all := benchStore(b, 1)
	m := all[0]
	for i := range n {
		d, err := safefile.NewDraft(safefile.Unsynced{FS: safefile.OS}, s.opt.Tmp)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := m.Add(d, AddOptions{Flags: []string{`\Seen`}, Last: true}); err != nil {
			b.Fatal(i, err)
		}
	}
	return m
}

// BenchmarkBig measures what one does with a mailbox of 50,000 messages.
func BenchmarkBig(b *testing.B) {
	if testing.Short() {
		b.Skip("makes 50,000 files")
	}
	m := filled(b, 50000)
	b.Run("load", func(b *testing.B) {
		run(b, 1, func(int) error {
			m.unload(0)
			_, err := m.Status()
			return err
		})
	})
	b.Run("memory", func(b *testing.B) {
		m.unload(0)
		before := heap()
		if _, err := m.Status(); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(heap()-before)/50000, "heap-B/message")
	})
	b.Run("view", func(b *testing.B) {
		run(b, 1, func(int) error {
			v, err := m.View()
			if err == nil {
				v.Close()
			}
			return err
		})
	})
	b.Run("rescan", func(b *testing.B) { run(b, 1, func(int) error { return m.rescan() }) })
	b.Run("poll", func(b *testing.B) { run(b, 1, func(int) error { m.Poll(); return nil }) })
	b.Run("flag one", func(b *testing.B) {
		run(b, 1, func(i int) error {
			_, err := m.SetFlags(nil, []UID{UID(i%50000 + 1)}, FlagOp(1+i%2), []string{`\Flagged`})
			return err
		})
	})
	b.Run("open", func(b *testing.B) {
		run(b, 1, func(i int) error {
			c, err := m.Open(UID(i%50000 + 1))
			if err == nil {
				c.Close()
			}
			return err
		})
	})
}
