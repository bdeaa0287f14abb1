package mailbox

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/retention"
	"facteur/server/safefile"
)

// benchStore opens a store for a benchmark, with a number of mailboxes.
func benchStore(b *testing.B, mailboxes int) (*Store, []*Mailbox) {
	b.Helper()
	dir := b.TempDir()
	s, err := Open(Options{Dir: filepath.Join(dir, "domains"), Tmp: filepath.Join(dir, "tmp"), NoText: true})
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

var text4K = bytes.Repeat([]byte("A line of a message, 32 octets.\r\n"), 128) // 4 KiB

func deliver(s *Store, m *Mailbox) error {
	d, err := s.Draft()
	if err != nil {
		return err
	}
	defer d.Discard()
	d.Write(text4K)
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

// letter is a message such as people get, of 2 KiB.
func letter(i int) []byte {
	return fmt.Appendf(nil, "Received: from mx.example.net by mail.example.org; Sun, 22 Nov 2026 10:00:00 +0100\r\n"+
		"From: Sender %[1]d <sender%[1]d@example.net>\r\nTo: Alice <alice@example.org>\r\nSubject: Letter number %[1]d about things\r\n"+
		"Date: Sun, 22 Nov 2026 10:00:00 +0100\r\nMessage-ID: <%[1]d@example.net>\r\nReferences: <%[2]d@example.net>\r\n"+
		"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n%[3]s", i, i-1, text4K[:1536])
}

// fill adds messages to a mailbox, without waiting for the disk.
func fill(b *testing.B, m *Mailbox, n int) []UID {
	b.Helper()
	uids := make([]UID, n)
	for i := range n {
		d, err := safefile.NewDraft(safefile.Unsynced{FS: safefile.OS}, m.store.opt.Tmp)
		if err != nil {
			b.Fatal(err)
		}
		d.Write(letter(i))
		if uids[i], err = m.Add(d, AddOptions{Flags: []string{`\Seen`}, Last: true}); err != nil {
			b.Fatal(i, err)
		}
	}
	return uids
}

// sizes are the numbers of messages that are measured. 500,000 files take a
// while: FACTEUR_BENCH=large.
func sizes() []int {
	if os.Getenv("FACTEUR_BENCH") == "large" {
		return []int{10_000, 50_000, 500_000}
	}
	return []int{10_000, 50_000}
}

// BenchmarkMailbox measures what one does with a mailbox.
func BenchmarkMailbox(b *testing.B) {
	if testing.Short() {
		b.Skip("makes tens of thousands of files")
	}
	for _, n := range sizes() {
		b.Run(fmt.Sprint("messages=", n), func(b *testing.B) { benchMailbox(b, n) })
	}
}

func benchMailbox(b *testing.B, n int) {
	s, all := benchStore(b, 2)
	m, other := all[0], all[1]
	all = nil
	began := time.Now()
	uids := fill(b, m, n)
	b.Logf("append without a sync: %v a message", time.Since(began)/time.Duration(n))
	if err := m.Sync(); err != nil {
		b.Fatal(err)
	}
	b.Run("memory", func(b *testing.B) {
		m.unload(0)
		before := heap()
		if _, err := m.Status(); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(heap()-before)/float64(n), "heap-B/message")
	})
	b.Run("open", func(b *testing.B) {
		run(b, 1, func(int) error {
			m.unload(0)
			_, err := m.Snapshot()
			return err
		})
	})
	b.Run("open after the index was lost", func(b *testing.B) {
		run(b, 1, func(int) error { return m.openAnew() })
	})
	b.Run("rescan", func(b *testing.B) { run(b, 1, func(int) error { return m.rescan() }) })
	b.Run("poll", func(b *testing.B) { run(b, 1, func(int) error { m.Poll(); return nil }) })
	b.Run("summarize all", func(b *testing.B) { run(b, 1, func(int) error { return readSummaries(m) }) })
	b.Run("summaries of all", func(b *testing.B) { run(b, 1, func(int) error { return readSummaries(m) }) })
	b.Run("add", func(b *testing.B) { run(b, 1, func(i int) error { return deliver(s, m) }) })
	b.Run("flag one", func(b *testing.B) {
		run(b, 1, func(i int) error { return flag(m, uids[i%n:i%n+1], FlagOp(1+i/n%2), `\Flagged`) })
	})
	b.Run("flag 10000", func(b *testing.B) {
		run(b, 1, func(i int) error { return flag(m, uids[:10_000], FlagOp(1+i%2), `\Answered`) })
	})
	b.Run("copy 1000", func(b *testing.B) {
		run(b, 1, func(i int) error {
			_, err := m.Copy(uids[:1000], other, nil)
			return err
		})
	})
	b.Run("move 1000", func(b *testing.B) {
		benchTaking(b, m, func(uids []UID) error { _, err := m.Move(uids, other, nil); return err })
	})
	b.Run("expunge 1000", func(b *testing.B) {
		benchTaking(b, m, func(uids []UID) error { _, err := m.Expunge(uids); return err })
	})
	b.Run("expunge 1000 and keep", func(b *testing.B) {
		bins := retention.New(retention.Options{
			Dir: s.opt.Dir, Keep: func(address.Address) (time.Duration, int64) { return time.Hour, 0 },
		})
		m.home.bin = retention.Add(bins, "mailbox", deletedOn).Bin(alice)
		benchTaking(b, m, func(uids []UID) error { _, err := m.Expunge(uids); return err })
	})
	b.Run("open message", func(b *testing.B) {
		run(b, 1, func(i int) error {
			c, err := m.Open(uids[i%n])
			if err == nil {
				c.Close()
			}
			return err
		})
	})
}

func flag(m *Mailbox, uids []UID, op FlagOp, name string) error {
	_, err := m.SetFlags(StoreOptions{UIDs: uids, Op: op, Flags: []string{name}})
	return err
}

// benchTaking measures what takes 1,000 messages out of a mailbox.
func benchTaking(b *testing.B, m *Mailbox, take func([]UID) error) {
	b.StopTimer()
	for range b.N {
		uids := fill(b, m, 1000)
		if err := m.Sync(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if err := take(uids); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
	}
}

func readSummaries(m *Mailbox) error {
	snap, err := m.Snapshot()
	if err != nil {
		return err
	}
	e := m.Entries()
	defer e.Close()
	for _, r := range snap.Range(0, snap.Len()) {
		if _, err := e.Summary(r); err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkSetFlags measures STORE on a whole mailbox: of messages in cur, one
// after the other, and with the disk left out.
func BenchmarkSetFlags(b *testing.B) {
	const n = 10_000
	s, all := benchStore(b, 1)
	s.opt.FS = safefile.Unsynced{FS: s.opt.FS}
	uids := fill(b, all[0], n)
	b.ReportAllocs()
	used, op := cpu(), RemoveFlags
	for b.Loop() {
		op = AddFlags + RemoveFlags - op
		if _, err := all[0].SetFlags(StoreOptions{UIDs: uids, Op: op, Flags: []string{`\Flagged`}}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/n, "µs/msg")
	b.ReportMetric(float64((cpu()-used).Microseconds())/float64(b.N)/n, "cpu-µs/msg")
}
