package relay

import (
	"io"
	"net"
	"sync"
	"testing"

	"github.com/emersion/go-smtp"
)

// listen serves until the end of the test and returns the address.
func listen(t *testing.T, s *smtp.Server) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() { s.Serve(ln) })
	t.Cleanup(func() {
		s.Close()
		running.Wait()
	})
	return ln.Addr().String()
}

// recorder is a backend of go-smtp that keeps one transaction.
type recorder struct {
	mail smtp.MailOptions
	rcpt smtp.RcptOptions
	to   int
	data string
}

func (r *recorder) NewSession(*smtp.Conn) (smtp.Session, error) { return r, nil }

func (r *recorder) Mail(_ string, o *smtp.MailOptions) error {
	r.mail = *o
	return nil
}

func (r *recorder) Rcpt(_ string, o *smtp.RcptOptions) error {
	r.rcpt, r.to = *o, r.to+1
	return nil
}

func (r *recorder) Data(body io.Reader) error {
	b, err := io.ReadAll(body)
	r.data = string(b)
	return err
}

func (r *recorder) Reset() {}

func (r *recorder) Logout() error { return nil }
