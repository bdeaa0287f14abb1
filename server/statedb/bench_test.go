package statedb

import (
	"path/filepath"
	"sync/atomic"
	"testing"
)

// BenchmarkWrite has one writer wait for each row, and then many at once.
func BenchmarkWrite(b *testing.B) {
	for _, c := range []struct {
		name    string
		writers int
	}{{"alone", 1}, {"with 200", 100}} {
		b.Run(c.name, func(b *testing.B) {
			db := open(b, filepath.Join(b.TempDir(), "state.db"))
			var n atomic.Int64
			b.SetParallelism(c.writers)
			if c.writers == 1 {
				for b.Loop() {
					if err := db.Write(b.Context(), insert(int(n.Add(1)))); err != nil {
						b.Fatal(err)
					}
				}
				return
			}
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := db.Write(b.Context(), insert(int(n.Add(1)))); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

// BenchmarkLater is a row written behind, until it is durable.
func BenchmarkLater(b *testing.B) {
	path := filepath.Join(b.TempDir(), "state.db")
	db := open(b, path)
	n := 0
	for b.Loop() {
		db.Later(insert(n))
		if n++; n%50_000 == 0 {
			if err := db.Close(); err != nil {
				b.Fatal(err)
			}
			db = reopen(b, path)
		}
	}
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
}
