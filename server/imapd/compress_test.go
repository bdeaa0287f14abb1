package imapd

import (
	"bytes"
	"compress/flate"
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"testing/iotest"
)

// stutter fails with a timeout before each octet.
type stutter struct {
	io.Reader
	odd bool
}

func (s *stutter) Read(p []byte) (int, error) {
	if s.odd = !s.odd; s.odd {
		return 0, os.ErrDeadlineExceeded
	}
	return s.Reader.Read(p[:1])
}

// readThrough reads all, timeouts or not.
func readThrough(r io.Reader) ([]byte, error) {
	var out []byte
	p := make([]byte, 100)
	for {
		n, err := r.Read(p)
		out = append(out, p[:n]...)
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return out, err
		}
	}
}

func TestInflate(t *testing.T) {
	if testing.Short() {
		t.Skip("much work in one goroutine")
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	texts := [][]byte{nil, []byte("a"), bytes.Repeat([]byte("a NOOP\r\n"), 20000)}
	noise := make([]byte, 100_000)
	for i := range noise {
		noise[i] = byte(rnd.Uint32())
	}
	words := make([]byte, 0, 200_000)
	for len(words) < 190_000 {
		words = append(words, noise[rnd.IntN(1000):][:rnd.IntN(40)]...)
	}
	texts = append(texts, noise, words)
	for level := flate.HuffmanOnly; level <= flate.BestCompression; level++ {
		for i, text := range texts {
			var packed bytes.Buffer
			w, err := flate.NewWriter(&packed, level)
			if err != nil {
				t.Fatal(err)
			}
			for rest := text; len(rest) > 0; {
				n := min(1+rnd.IntN(50_000), len(rest))
				w.Write(rest[:n])
				w.Flush()
				rest = rest[n:]
			}
			w.Close()
			for name, src := range map[string]io.Reader{
				"at once": bytes.NewReader(packed.Bytes()), "by octets": &stutter{Reader: bytes.NewReader(packed.Bytes())},
				"with the end": iotest.DataErrReader(bytes.NewReader(packed.Bytes())),
			} {
				got, err := readThrough(newInflater(src))
				if err != io.EOF || !bytes.Equal(got, text) {
					t.Errorf("level %d, text %d, %s: %d octets of %d, %v", level, i, name, len(got), len(text), err)
				}
			}
		}
	}
}

// Each command is known when it is there, also when the client flushes with an
// empty block of fixed codes (Z_PARTIAL_FLUSH): the ten bits 010 0000000.
func TestInflateGivesAtOnce(t *testing.T) {
	r, w := io.Pipe()
	z := newInflater(r)
	go func() {
		var b bytes.Buffer
		f, _ := flate.NewWriter(&b, flate.BestSpeed)
		io.WriteString(f, "a NOOP\r\n")
		f.Flush()
		w.Write(bytes.TrimSuffix(b.Bytes(), []byte{0, 0, 0xff, 0xff})) // without the empty block's lengths
	}()
	got := make([]byte, 8)
	if _, err := io.ReadFull(z, got); err != nil || string(got) != "a NOOP\r\n" {
		t.Errorf("%q, %v", got, err)
	}
	if len(z.window) > minWindow {
		t.Errorf("a window of %d", len(z.window))
	}
}

func FuzzInflate(f *testing.F) {
	for _, text := range []string{"", "a NOOP\r\n", strings.Repeat("ab", 1000)} {
		var b bytes.Buffer
		w, err := flate.NewWriter(&b, flate.DefaultCompression)
		if err != nil {
			f.Fatal(err)
		}
		io.WriteString(w, text)
		w.Close()
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		want, wantErr := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(in)), 1<<16))
		got, err := io.ReadAll(io.LimitReader(newInflater(bytes.NewReader(in)), 1<<16))
		if wantErr == nil && (err != nil || !bytes.Equal(got, want)) {
			t.Errorf("%d octets, %v, want %d", len(got), err, len(want))
		}
	})
}

// zipped continues a connection under compression.
func (r *rawConn) zipped() *rawConn {
	r.t.Helper()
	r.do("COMPRESS DEFLATE", "OK")
	z := compress(new(deflaters), struct {
		io.Reader
		io.Writer
	}{r.r, r.Conn}, nil)
	c := &rawConn{Conn: zipConn{r.Conn, z}, t: r.t}
	c.r = newLineReader(c.Conn)
	return c
}

func TestCompress(t *testing.T) {
	serverTLS, clientTLS := selfSigned(t)
	w := newWorld(t, func(o *Options) { o.TLS = serverTLS })
	conn, err := tls.Dial("tcp", w.serve("imaps"), clientTLS)
	if err != nil {
		t.Fatal(err)
	}
	under := w.rawOn(conn)
	under.do("LOGIN alice@example.org demo", "OK")
	w.raw().do("COMPRESS DEFLATE", "BAD")
	for _, r := range []*rawConn{w.login(""), under} {
		r.do("COMPRESS LZMA", "NO")
		z := r.zipped()
		z.talk(`
			C: a COMPRESS DEFLATE
			S: a NO [COMPRESSIONACTIVE] ...
			C: b CREATE {3}
			S: + ...
			C: abc
			S: b OK ...
			C: c LIST "" abc
			S: * LIST (\HasNoChildren) "/" abc
			S: c OK ...
			C: d DELETE abc
			S: d OK ...
			C: e IDLE
			S: + idling
			C: DONE
			S: e OK ...
		`)
		if caps := z.do("CAPABILITY", "OK"); strings.Contains(caps, "COMPRESS") {
			t.Error(caps)
		}
		z.do("LOGOUT", "OK")
	}
}

// pieces counts what is written at once.
type pieces struct {
	bytes.Buffer
	n int
}

// Write is that of io.Writer.
func (p *pieces) Write(b []byte) (int, error) {
	p.n++
	return p.Buffer.Write(b)
}

// What is sent together comes in one piece.
func TestCompressInOnePiece(t *testing.T) {
	for _, text := range []string{"+ idling\r\n", "* 1 EXISTS\r\n* 1 RECENT\r\n", strings.Repeat("* 1 FETCH (UID 1)\r\n", 1000)} {
		var to pieces
		z := compress(new(deflaters), &to, nil)
		if _, err := io.WriteString(z, text); err != nil {
			t.Fatal(err)
		}
		if err := z.rest(); err != nil {
			t.Fatal(err)
		}
		if n := to.n; n != 1 {
			t.Errorf("%.20q comes in %d pieces", text, n)
		}
	}
}

// What stands behind COMPRESS in the same packet is compressed already.
func TestCompressReadAhead(t *testing.T) {
	w := newWorld(t, nil)
	r := w.login("")
	var b bytes.Buffer
	b.WriteString("a COMPRESS DEFLATE\r\n")
	f, err := flate.NewWriter(&b, flate.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(f, "b NOOP\r\n")
	f.Flush()
	if _, err := r.Write(b.Bytes()); err != nil {
		t.Fatal(err)
	}
	r.expect("a OK")
	line := make([]byte, 6)
	if _, err := io.ReadFull(flate.NewReader(r.r), line); err != nil || string(line) != "b OK N" {
		t.Errorf("%q, %v", line, err)
	}
}

func BenchmarkInflate(b *testing.B) {
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.DefaultCompression)
	if err != nil {
		b.Fatal(err)
	}
	size := 0
	for i := 0; size < 1<<20; i++ {
		n, _ := io.WriteString(w, strings.Repeat("Lorem ipsum dolor ", i%7)+string(rune('a'+i%26))+"\r\n")
		size += n
	}
	w.Close()
	b.SetBytes(int64(size))
	for b.Loop() {
		if n, err := io.Copy(io.Discard, newInflater(bytes.NewReader(packed.Bytes()))); err != nil || n != int64(size) {
			b.Fatal(n, err)
		}
	}
}
