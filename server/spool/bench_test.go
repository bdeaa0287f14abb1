package spool

import (
	"context"
	"io"
	"path/filepath"
	"testing"

	"facteur/server/envelope"
	"facteur/server/safefile"
)

// done is an Attempter to which all is well.
type done struct{}

func (done) Attempt(_ context.Context, it Item) []Result { return make([]Result, len(it.Recipients)) }

// BenchmarkAdd is the way of a message through the spool, eight at once.
func BenchmarkAdd(b *testing.B) {
	dir := b.TempDir()
	s, err := Open(Options{Dir: dir, FS: safefile.OS, Attempt: done{}})
	if err != nil {
		b.Fatal(err)
	}
	b.SetParallelism(8)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			d, err := safefile.NewDraft(safefile.OS, filepath.Join(dir, "tmp"))
			if err != nil {
				b.Error(err)
				return
			}
			io.WriteString(d, content)
			p, err := s.Add(b.Context(), entry(envelope.NewID(), "bob@example.net"), d)
			d.Discard()
			if err != nil {
				b.Error(err)
				return
			}
			p.Release()
		}
	})
	s.Close(b.Context())
}

// BenchmarkOpen opens a queue of 10,000 entries.
func BenchmarkOpen(b *testing.B) {
	const entries = 10_000
	dir := b.TempDir()
	fsys := safefile.Unsynced{FS: safefile.OS}
	o := Options{Dir: dir, FS: fsys, Idle: true}
	s, err := Open(o)
	if err != nil {
		b.Fatal(err)
	}
	for range entries {
		d, err := safefile.NewDraft(fsys, filepath.Join(dir, "tmp"))
		if err != nil {
			b.Fatal(err)
		}
		io.WriteString(d, content)
		p, err := s.Add(b.Context(), entry(envelope.NewID(), "bob@example.net"), d)
		d.Discard()
		if err != nil {
			b.Fatal(err)
		}
		p.Release()
	}
	s.Close(b.Context())
	for b.Loop() {
		if s, err = Open(o); err != nil || s.Len() != entries {
			b.Fatal(s.Len(), err)
		}
		s.Close(b.Context())
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/entries, "µs/entry")
}
