package buffer

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"facteur/server/envelope"
)

var _ envelope.Body = (*Buffer)(nil)

func newPool(t testing.TB, perMessage, total int64) *Pool {
	t.Helper()
	p, err := NewPool(Options{PerMessage: perMessage, Total: total, Dir: filepath.Join(t.TempDir(), "spool", "tmp")})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// pattern returns n octets that tell a wrong offset.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return b
}

func TestBuffer(t *testing.T) {
	for _, c := range []struct {
		name    string
		size    int
		spilled bool
	}{
		{"empty", 0, false},
		{"small", 100, false},
		{"one block", blockSize, false},
		{"block and one", blockSize + 1, false},
		{"several blocks", 6*blockSize + 7, false},
		{"at the limit", 8 * blockSize, false},
		{"over the limit", 8*blockSize + 1, true},
		{"far over", 40 * blockSize, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			pool := newPool(t, 8*blockSize, 64*blockSize)
			want := pattern(c.size)
			b := pool.New()
			for rest := want; len(rest) > 0; {
				n := min(len(rest), 1+rand.IntN(3*blockSize))
				if k, err := b.Write(rest[:n]); k != n || err != nil {
					t.Fatal(k, err)
				}
				rest = rest[n:]
			}
			if b.Spilled() != c.spilled || b.Size() != int64(c.size) {
				t.Errorf("spilled %v, size %d", b.Spilled(), b.Size())
			}
			check(t, b, want)
			if left, _ := os.ReadDir(pool.o.Dir); len(left) != 0 {
				t.Errorf("left in the folder: %v", left)
			}
			if c.spilled && pool.InUse() != 0 {
				t.Errorf("in use %d though it is in a file", pool.InUse())
			}
			if err := errors.Join(b.Close(), b.Close()); err != nil || pool.InUse() != 0 {
				t.Errorf("close: %v, in use %d", err, pool.InUse())
			}
			if _, err := b.ReadAt(make([]byte, 1), 0); !errors.Is(err, os.ErrClosed) {
				t.Errorf("read after Close: %v", err)
			}
			if _, err := b.Write([]byte("x")); !errors.Is(err, os.ErrClosed) {
				t.Errorf("write after Close: %v", err)
			}
		})
	}
}

// check reads b in all its ways, by several at once.
func check(t *testing.T, b *Buffer, want []byte) {
	t.Helper()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			got, err := io.ReadAll(envelope.NewReader(b))
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("read %d octets, %v", len(got), err)
			}
			var out bytes.Buffer
			if n, err := b.WriteTo(&out); n != b.Size() || err != nil || !bytes.Equal(out.Bytes(), want) {
				t.Errorf("wrote %d octets, %v", n, err)
			}
			for range 50 {
				off, n := rand.IntN(len(want)+10), rand.IntN(2*blockSize)
				p := make([]byte, n)
				k, err := b.ReadAt(p, int64(off))
				end := min(len(want), off+n)
				if off >= len(want) {
					end = off
				}
				if k != end-off || (k < n) != (err == io.EOF) || k > 0 && !bytes.Equal(p[:k], want[off:end]) {
					t.Errorf("ReadAt(%d, %d): %d, %v", n, off, k, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestTotal(t *testing.T) {
	pool := newPool(t, 4*blockSize, 6*blockSize)
	a, b, c := pool.New(), pool.New(), pool.New()
	four := pattern(4 * blockSize)
	for _, x := range []*Buffer{a, b, c} {
		if _, err := x.Write(four[:2*blockSize]); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Write(four[2*blockSize:]); err != nil || !b.Spilled() || pool.InUse() != 4*blockSize {
		t.Errorf("%v, spilled %v, in use %d", err, b.Spilled(), pool.InUse())
	}
	check(t, b, four)
	a.Close()
	if _, err := c.Write(four[2*blockSize:]); err != nil || c.Spilled() || pool.InUse() != 4*blockSize {
		t.Errorf("%v, spilled %v, in use %d", err, c.Spilled(), pool.InUse())
	}
	b.Close()
	c.Close()
	if pool.InUse() != 0 {
		t.Errorf("in use %d", pool.InUse())
	}
}

func TestSpillFails(t *testing.T) {
	pool := newPool(t, blockSize, 8*blockSize)
	if err := os.Remove(pool.o.Dir); err != nil {
		t.Fatal(err)
	}
	b := pool.New()
	b.Write(pattern(10))
	if _, err := b.Write(pattern(blockSize)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
	check(t, b, pattern(10))
	b.Close()
	if pool.InUse() != 0 {
		t.Errorf("in use %d", pool.InUse())
	}
}

func TestNoDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := NewPool(Options{Dir: file}); err == nil {
		t.Error("a file is no folder")
	}
}

func BenchmarkBuffer(b *testing.B) {
	pool := newPool(b, 256<<10, 64<<20)
	msg := pattern(50 << 10)
	b.ReportAllocs()
	b.SetBytes(int64(len(msg)))
	for b.Loop() {
		buf := pool.New()
		buf.Write(msg)
		buf.Close()
	}
}
