package kv

import (
	"fmt"
	"testing"
	"time"

	"facteur/server/address"
)

// filled has a shelf of 1000 values.
func filled(b *testing.B) *Store {
	s := opened(b, b.TempDir(), Limits{})
	run := s.Begin("a.lua", alice, start)
	for i := range 1000 {
		must(b, run.Set(fmt.Sprint(i), "a value of some length", time.Hour))
	}
	must(b, run.Commit(b.Context()))
	return s
}

func BenchmarkGet(b *testing.B) {
	s := filled(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok, err := s.Begin("a.lua", alice, start).Get("500"); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}

// BenchmarkGetCold reads a shelf of 1000 values from the disk each time.
func BenchmarkGetCold(b *testing.B) {
	s := filled(b)
	for b.Loop() {
		s.mu.Lock()
		s.forget(s.shelves[owner{"a.lua", string(alice.Key())}])
		s.mu.Unlock()
		if _, ok, err := s.Begin("a.lua", alice, start).Get("500"); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}

// BenchmarkGetNew asks the memory of a mailbox that has none.
func BenchmarkGetNew(b *testing.B) {
	s := filled(b)
	for i := 0; b.Loop(); i++ {
		box := address.MustParse(fmt.Sprintf("u%d@example.org", i))
		if _, _, err := s.Begin("a.lua", box, start).Get("500"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkIncr(b *testing.B) {
	s := filled(b)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.Begin("a.lua", alice, start).Incr("n", 1, 0); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkRate(b *testing.B) {
	s := filled(b)
	for i := 0; b.Loop(); i++ {
		if _, err := s.Begin("a.lua", alice, start.Add(time.Duration(i)*time.Millisecond)).Rate("k", time.Minute); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCommit has 100 runs commit a noted key at a time.
func BenchmarkCommit(b *testing.B) {
	s := opened(b, b.TempDir(), Limits{})
	b.SetParallelism(50)
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			run := s.Begin("a.lua", alice, start)
			if _, err := run.Duplicate(fmt.Sprint(i%5000), time.Hour); err != nil {
				b.Error(err)
			}
			if err := run.Commit(b.Context()); err != nil {
				b.Error(err)
			}
		}
	})
}
