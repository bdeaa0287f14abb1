package httpd

import (
	"errors"
	"io"
	"net/http"
	"time"

	"facteur/server/connection"
)

// maxUpload bounds the time of one body: with connection.Pace nothing of a legal size
// takes longer.
const maxUpload = 24 * time.Hour

// body is that of a request. Each part of it must arrive in time, so that nobody holds a
// request by sending nothing; how long all takes is a matter of its size.
type body struct {
	io.ReadCloser
	control *http.ResponseController
	part    time.Duration
	pace    *connection.Pace // from the first Read on: a request may wait for its turn
}

// newBody returns the body of r with its deadlines, the first of which holds from now on
// in HTTP/1.1, where net/http reads what a handler leaves.
func newBody(w http.ResponseWriter, r *http.Request, part time.Duration) *body {
	b := &body{ReadCloser: r.Body, control: http.NewResponseController(w), part: part}
	if r.ProtoMajor == 1 { // with HTTP/2 a deadline that is over can't be put off
		b.limit(time.Now().Add(part))
	}
	return b
}

// limit sets the deadline of the next part. It can't be set on a connection that is
// broken, where reading fails anyhow.
func (b *body) limit(t time.Time) { _ = b.control.SetReadDeadline(t) }

// Read is that of io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if b.pace == nil {
		b.pace = connection.NewPace(b.part, maxUpload)
	}
	b.limit(b.pace.Deadline(time.Now()))
	n, err := b.ReadCloser.Read(p)
	b.pace.Arrived(n)
	if errors.Is(err, io.EOF) { // from here on net/http waits for the client to leave
		b.limit(time.Time{})
	}
	return n, err
}

// answer is what is sent back. Each part must be taken in time. It also notes what the
// log tells.
type answer struct {
	http.ResponseWriter
	control *http.ResponseController
	part    time.Duration
	status  int
	octets  int64
}

func newAnswer(w http.ResponseWriter, part time.Duration) *answer {
	return &answer{ResponseWriter: w, control: http.NewResponseController(w), part: part}
}

// WriteHeader is that of http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 || a.status < http.StatusOK { // 1xx come before the others
		a.status = status
	}
	a.limit()
	a.ResponseWriter.WriteHeader(status)
}

// Write is that of http.ResponseWriter. It sends p in pieces, each of which has its time.
func (a *answer) Write(p []byte) (n int, err error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	for {
		piece := p[n:min(len(p), n+maxPiece)]
		a.limit()
		sent, err := a.ResponseWriter.Write(piece)
		n += sent
		a.octets += int64(sent)
		if err != nil || n == len(p) {
			return n, err
		}
	}
}

// maxPiece is what a slow client must be able to take in Options.Part.
const maxPiece = 64 << 10

// Flush is that of http.Flusher.
func (a *answer) Flush() {
	a.limit()
	_ = a.control.Flush() // the next Write fails too
}

func (a *answer) limit() { _ = a.control.SetWriteDeadline(time.Now().Add(a.part)) }

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
