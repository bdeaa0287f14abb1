package msgindex

import (
	"fmt"
	"os"
	"runtime"
	"testing"

	"facteur/server/maildir"
)

var sizes = []int{10_000, 50_000, 500_000}

// filled returns an index of n messages and a checkpoint of them.
func filled(b *testing.B, dir string, n int) *Index {
	b.Helper()
	x, _ := Open(Options{Dir: dir, Validity: 7, BootID: "boot"})
	batch := x.Begin()
	recs := make([]Record, n)
	for i := range recs {
		recs[i] = Record{UID: UID(i + 1), ModSeq: ModSeq(1 + i/100), Flags: maildir.Seen, Unique: uint32(i)}
		recs[i].SetSize(4096)
	}
	batch.Reset(recs)
	batch.Commit(Commit{ModSeq: ModSeq(n)})
	x.work.Wait()
	return x
}

func sized(b *testing.B, f func(b *testing.B, n int)) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			f(b, n)
		})
	}
}

// BenchmarkOpen reads the list; log: with a log of changes of flags as long as it
// gets.
func BenchmarkOpen(b *testing.B) {
	for _, log := range []bool{false, true} {
		b.Run(fmt.Sprintf("log=%v", log), func(b *testing.B) {
			sized(b, func(b *testing.B, n int) {
				dir := b.TempDir()
				x := filled(b, dir, n)
				for i := 0; log && x.list.size < x.list.table+max(minLog, x.list.table/8)-64; i += 7919 {
					changeOne(x, i%n)
				}
				info, _ := os.Stat(x.path(listName))
				kill(x)
				b.SetBytes(info.Size())
				for b.Loop() {
					x, found := Open(Options{Dir: dir, Validity: 7, BootID: "boot"})
					if found.Empty || x.Snapshot().Len() != n {
						b.Fatalf("%+v", found)
					}
				}
			})
		})
	}
}

func changeOne(x *Index, i int) {
	s := x.Snapshot()
	batch := x.Begin()
	r := *s.At(i)
	r.Flags ^= maildir.Flagged
	r.ModSeq = s.HighestModSeq() + 1
	batch.Change(i, r)
	batch.Commit(Commit{ModSeq: r.ModSeq, Stamp: maildir.Stamp{New: 1, Cur: int64(r.ModSeq)}})
}

// BenchmarkAppend adds a message in a batch of its own, with its write.
func BenchmarkAppend(b *testing.B) {
	sized(b, func(b *testing.B, n int) {
		x := filled(b, b.TempDir(), n)
		uid := x.Snapshot().UIDNext()
		for b.Loop() {
			batch := x.Begin()
			batch.Append(Record{UID: uid, ModSeq: ModSeq(uid)})
			batch.Commit(Commit{ModSeq: ModSeq(uid), Stamp: maildir.Stamp{New: int64(uid)}})
			uid++
		}
		b.ReportMetric(float64(x.checkpoints), "checkpoints")
		x.Close(maildir.Stamp{})
	})
}

// BenchmarkChange changes the flags of one message anywhere.
func BenchmarkChange(b *testing.B) {
	sized(b, func(b *testing.B, n int) {
		x := filled(b, b.TempDir(), n)
		for i := 0; b.Loop(); i += 7919 {
			changeOne(x, i%n)
		}
		x.Close(maildir.Stamp{})
	})
}

// BenchmarkChangeAll changes the flags of all messages, in batches of 128.
func BenchmarkChangeAll(b *testing.B) {
	sized(b, func(b *testing.B, n int) {
		x := filled(b, b.TempDir(), n)
		for b.Loop() {
			for from := 0; from < n; from += 128 {
				s := x.Snapshot()
				batch := x.Begin()
				for i, r := range s.Range(from, from+128) {
					rec := *r
					rec.Flags ^= maildir.Flagged
					rec.ModSeq = s.HighestModSeq() + 1
					batch.Change(i, rec)
				}
				batch.Commit(Commit{ModSeq: s.HighestModSeq() + 1})
			}
		}
		x.Close(maildir.Stamp{})
	})
}

// BenchmarkDiff compares snapshots with 10 changes and 10 new messages between
// them.
func BenchmarkDiff(b *testing.B) {
	sized(b, func(b *testing.B, n int) {
		x := filled(b, b.TempDir(), n)
		old := x.Snapshot()
		for i := range 10 {
			changeOne(x, i*n/10)
		}
		batch := x.Begin()
		for range 10 {
			batch.Append(Record{UID: old.UIDNext() + UID(len(batch.added))})
		}
		s := batch.Commit(Commit{})
		for b.Loop() {
			if c := Diff(old, s); len(c.Changed) != 10 || c.Added != 10 {
				b.Fatalf("%v", c)
			}
		}
		x.Close(maildir.Stamp{})
	})
}

// BenchmarkAt reads one record by its place, and BenchmarkFind by its UID.
func BenchmarkAt(b *testing.B) {
	sized(b, func(b *testing.B, n int) {
		s := filled(b, b.TempDir(), n).Snapshot()
		for i := 0; b.Loop(); i += 7919 {
			if s.At(i%n).UID == 0 {
				b.Fatal()
			}
		}
	})
}

func BenchmarkFind(b *testing.B) {
	sized(b, func(b *testing.B, n int) {
		s := filled(b, b.TempDir(), n).Snapshot()
		for i := 0; b.Loop(); i += 7919 {
			if _, ok := s.Find(UID(i%n + 1)); !ok {
				b.Fatal()
			}
		}
	})
}

// BenchmarkRange goes through all records.
func BenchmarkRange(b *testing.B) {
	sized(b, func(b *testing.B, n int) {
		s := filled(b, b.TempDir(), n).Snapshot()
		for b.Loop() {
			sum := UID(0)
			for _, r := range s.Range(0, n) {
				sum += r.UID
			}
			if sum == 0 {
				b.Fatal()
			}
		}
	})
}

// BenchmarkEntries reads 10,000 entries of 1 KiB; an operation is one entry.
func BenchmarkEntries(b *testing.B) {
	const n = 10_000
	x, _ := Open(Options{Dir: b.TempDir(), Validity: 7})
	batch := x.Begin()
	batch.Reset(nil)
	for uid := UID(1); uid <= n; uid++ {
		ref, err := x.PutEntry(uid, "1700000000.M1P2Q3.host,S=1234,F=s44we8.17", make([]byte, 1024))
		if err != nil {
			b.Fatal(err)
		}
		batch.Append(Record{UID: uid, Entry: ref})
	}
	s := batch.Commit(Commit{})
	for name, step := range map[string]int{"sequential": 1, "random": 7919} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			e := x.Entries()
			defer e.Close()
			for i := 0; b.Loop(); i += step {
				if _, _, ok := e.Entry(s.At(i % n)); !ok {
					b.Fatal(i)
				}
			}
		})
	}
}

// BenchmarkPutEntry adds entries of 1 KiB.
func BenchmarkPutEntry(b *testing.B) {
	x, _ := Open(Options{Dir: b.TempDir(), Validity: 7})
	summary := make([]byte, 1024)
	b.ReportAllocs()
	for uid := UID(1); b.Loop(); uid++ {
		if _, err := x.PutEntry(uid, "1700000000.M1P2Q3.host,S=1234,F=s44we8.17", summary); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMemory tells how much memory a record takes.
func BenchmarkMemory(b *testing.B) {
	sized(b, func(b *testing.B, n int) {
		dir := b.TempDir()
		kill(filled(b, dir, n))
		for b.Loop() {
			before := heap()
			x, _ := Open(Options{Dir: dir, Validity: 7, BootID: "boot"})
			b.ReportMetric(float64(int64(heap())-int64(before))/float64(n), "heap-B/record")
			runtime.KeepAlive(x)
		}
	})
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
