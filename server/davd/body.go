package davd

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"facteur/server/buffer"
	"facteur/server/davxml"
	"facteur/server/fault"
	"facteur/server/safefile"
)

// body reads an XML body; nil: there is none. A large one is kept in a Buffer until all of it is there, however
// slowly it comes, and only then waits for its turn to be read; what that takes is given back
// when the request is answered.
func (r *request) body(limits davxml.Limits) (e *davxml.Element, err error) {
	if err := r.checkEncoding(); err != nil {
		return nil, err
	}
	limits = limits.WithDefaults()
	if r.ContentLength >= 0 && r.ContentLength <= freeBody {
		return parseBody(r.Body, limits)
	}
	arrived, err := r.arrived(limits.Octets)
	if err != nil {
		return nil, bodyFailure(err)
	}
	defer arrived.Close() // an error: it was read, or is not wanted
	octets := arrived.Size()
	if octets > freeBody {
		w := &cuttable{ResponseWriter: r.w}
		c, err := r.memory.take(r.Context(), r.viewer.Key(), bodyCost(octets, limits), w.cutOff)
		if err != nil {
			return nil, &failure{status: http.StatusServiceUnavailable, text: "There are too many large requests at once, try again later", cause: err}
		}
		r.w, r.release = w, func() { c.keep(0) }
		defer func() { c.keep(octets + elementSize*elements(e)) }() // the octets as they came are garbage
	}
	return parseBody(io.NewSectionReader(arrived, 0, octets), limits)
}

// arrived keeps the body until all of it is there: in memory when it is small, else in a file. It is to be
// closed. The error of too many octets is a fault.TooLarge.
func (r *request) arrived(most int64) (*buffer.Buffer, error) {
	b := r.opt.Bodies.New()
	piece := int64(32 << 10)
	if r.ContentLength >= 0 {
		piece = min(piece, r.ContentLength+1)
	}
	if _, err := io.CopyBuffer(b, &arriving{r: r.Body, left: most}, make([]byte, piece)); err != nil {
		if safefile.NoRoom(err) {
			err = fault.Wrap(fault.Unavailable, "", err)
		}
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

func parseBody(from io.Reader, limits davxml.Limits) (*davxml.Element, error) {
	e, err := davxml.Parse(from, limits)
	switch {
	case errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return nil, nil
	case err != nil:
		return nil, bodyFailure(err)
	}
	return e, nil
}

// arriving is a body of at most so many octets.
type arriving struct {
	r    io.Reader
	left int64
}

// Read is that of io.Reader.
func (a *arriving) Read(p []byte) (int, error) {
	n, err := a.r.Read(p)
	if a.left -= int64(n); a.left < 0 {
		return 0, fault.New(fault.TooLarge, "The body is too large")
	}
	return n, err
}

// elements counts an element and those in it.
func elements(e *davxml.Element) (n int64) {
	if e == nil {
		return 0
	}
	for _, c := range e.Children {
		n += elements(c)
	}
	return n + 1
}

// cuttable is an answer that others may cut off, who wait for the memory of its request.
type cuttable struct {
	http.ResponseWriter
	over atomic.Bool
}

// cutOff ends the request with the next Write, or the one that waits for the client.
func (w *cuttable) cutOff() {
	w.over.Store(true)
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now()) // an error: there is no connection any more
}

// Write is that of http.ResponseWriter. One that is cut off does not return.
func (w *cuttable) Write(p []byte) (n int, err error) {
	if !w.over.Load() {
		n, err = w.ResponseWriter.Write(p)
	}
	if w.over.Load() {
		panic(http.ErrAbortHandler)
	}
	return n, err
}

// Unwrap is for http.ResponseController.
func (w *cuttable) Unwrap() http.ResponseWriter { return w.ResponseWriter }
