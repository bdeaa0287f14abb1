package safefile

import (
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
)

// BenchmarkDraft measures what the disk allows: a draft written, synced, moved
// and its directory synced.
func BenchmarkDraft(b *testing.B) {
	for _, workers := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			tmp, dir := b.TempDir(), b.TempDir()
			s := NewSyncer(OS)
			data := make([]byte, 4096)
			var n atomic.Int64
			b.ReportAllocs()
			var wg sync.WaitGroup
			for range workers {
				wg.Go(func() {
					for i := n.Add(1); i <= int64(b.N); i = n.Add(1) {
						d, err := NewDraft(OS, tmp)
						if err != nil {
							b.Error(err)
							return
						}
						d.Write(data)
						if err := d.Sync(); err != nil {
							b.Error(err)
						}
						if err := d.Move(filepath.Join(dir, fmt.Sprint(i))); err != nil {
							b.Error(err)
						}
						if err := s.Sync(dir); err != nil {
							b.Error(err)
						}
					}
				})
			}
			wg.Wait()
		})
	}
}
