package imapd

import (
	"bufio"
	"bytes"
	"compress/flate"
	"io"
	"sync"
)

// deflaters keeps compressors that nobody uses at the moment: one has 1 MB, so
// that sessions hold one only while they write.
type deflaters struct{ pool sync.Pool }

// deflater is a compressor with a buffer behind it: flate writes a short text in five
// pieces. Thunderbird reads "+ idling" when not all of them are there; is it about to wait
// when the rest comes, it takes no notice of anything from then on.
type deflater struct {
	*flate.Writer
	buf *bufio.Writer
}

func (d *deflaters) take(w io.Writer) (*deflater, error) {
	if f, ok := d.pool.Get().(*deflater); ok {
		f.buf.Reset(w)
		f.Reset(f.buf)
		return f, nil
	}
	buf := bufio.NewWriterSize(w, deflateBuffer)
	f, err := flate.NewWriter(buf, flate.BestSpeed)
	return &deflater{f, buf}, err
}

const deflateBuffer = 16 << 10 // a TLS record

// flush sends all that was written.
func (d *deflater) flush() error {
	if err := d.Flush(); err != nil {
		return err
	}
	return d.buf.Flush()
}

// put takes a compressor back.
func (d *deflaters) put(f *deflater) {
	f.buf.Reset(io.Discard)
	f.Reset(f.buf)
	d.pool.Put(f)
}

// compression is what COMPRESS=DEFLATE puts between the connection and the
// session (RFC 4978).
type compression struct {
	pool *deflaters
	to   io.Writer
	out  *deflater // nil between two replies
	in   *inflater
}

// compress returns the layer over a connection, of which ahead was read already.
func compress(pool *deflaters, conn io.ReadWriter, ahead []byte) *compression {
	var src io.Reader = conn
	if len(ahead) > 0 {
		src = io.MultiReader(bytes.NewReader(ahead), conn)
	}
	return &compression{pool: pool, to: conn, in: newInflater(src)}
}

// Read returns what the client sent.
func (z *compression) Read(p []byte) (int, error) { return z.in.Read(p) }

// Write compresses p. All of it reaches the client with the next rest.
func (z *compression) Write(p []byte) (int, error) {
	if z.out == nil {
		var err error
		if z.out, err = z.pool.take(z.to); err != nil {
			return 0, err
		}
	}
	return z.out.Write(p)
}

// rest sends all that was written, and gives the compressor back. What comes
// next refers to nothing before it; that is a valid continuation, for a flush
// ends at the boundary of an octet and a block (RFC 1951 3.2.4).
func (z *compression) rest() error {
	if z.out == nil {
		return nil
	}
	err := z.out.flush()
	z.pool.put(z.out)
	z.out = nil
	return err
}

// cmdCompress is COMPRESS (RFC 4978 3).
func (s *session) cmdCompress(c *call) error {
	c.dec.SP()
	mechanism := c.dec.Keyword()
	if err := c.end(); err != nil {
		return err
	}
	if mechanism != "DEFLATE" {
		return no("CANNOT", "This mechanism is not supported")
	}
	if s.zip != nil {
		return no("COMPRESSIONACTIVE", "The connection is compressed already")
	}
	s.tagged(c.tag, "OK", "", "Compressed from here on")
	if err := s.flush(); err != nil {
		s.over = true
		return errLater
	}
	var conn io.ReadWriter = s.link
	if s.tls != nil {
		conn = s.tls
	}
	s.zip = compress(&s.srv.deflate, conn, s.dec.Unread())
	s.dec.Reset(s.zip)
	s.enc.Reset(s.zip)
	return errLater
}
