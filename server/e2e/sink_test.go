package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// sink is a mail server on port 25 of a loopback address of its own, that takes all
// and keeps nothing but the number of recipients and the times.
type sink struct {
	host string
	ln   net.Listener

	mu          sync.Mutex
	recipients  int
	want        int
	messages    int
	signed      int // of them, with a DKIM-Signature
	sessions    int
	first, last time.Time
	done        chan struct{} // closed when want have come
}

func newSink(tb testing.TB) *sink {
	host := fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(254), rand.IntN(256), 1+rand.IntN(254))
	ln, err := net.Listen("tcp", net.JoinHostPort(host, "25"))
	if err != nil {
		tb.Skipf("port 25 of a loopback address can't be had: %v", err)
	}
	s := &sink{host: host, ln: ln}
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			accepting.Go(func() { s.serve(c) })
		}
	})
	tb.Cleanup(func() {
		ln.Close()
		accepting.Wait()
	})
	return s
}

// expect begins a round that ends with so many recipients.
func (s *sink) expect(n int) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recipients, s.want, s.sessions, s.messages, s.signed, s.done = 0, n, 0, 0, 0, make(chan struct{})
	return s.done
}

// took notes a message.
func (s *sink) took(recipients int, signed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.messages++
	if signed {
		s.signed++
	}
	if s.recipients == 0 {
		s.first = now
	}
	s.last = now
	if s.recipients += recipients; s.recipients >= s.want && s.recipients-recipients < s.want {
		close(s.done)
	}
}

// serve speaks SMTP with one client.
func (s *sink) serve(c net.Conn) {
	defer c.Close()
	s.mu.Lock()
	s.sessions++
	s.mu.Unlock()
	c.SetDeadline(time.Now().Add(10 * time.Minute))
	r, w := bufio.NewReader(c), bufio.NewWriter(c)
	w.WriteString("220 sink.example ESMTP\r\n")
	recipients := 0
	for {
		if r.Buffered() == 0 && w.Flush() != nil {
			return
		}
		line, err := r.ReadSlice('\n')
		if err != nil {
			return
		}
		switch strings.ToUpper(string(line[:min(4, len(line))])) {
		case "EHLO":
			w.WriteString("250-sink.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 100000000\r\n")
		case "RCPT":
			recipients++
			w.WriteString("250 2.1.5 Ok\r\n")
		case "DATA":
			w.WriteString("354 Go on\r\n")
			if w.Flush() != nil {
				return
			}
			signed, ok := skipText(r)
			if !ok {
				return
			}
			s.took(recipients, signed)
			w.WriteString("250 2.0.0 Ok\r\n")
			recipients = 0
		case "QUIT":
			w.WriteString("221 2.0.0 Bye\r\n")
			w.Flush()
			return
		default:
			w.WriteString("250 2.0.0 Ok\r\n")
		}
	}
}

// skipText reads to the end of a text, and tells whether it is signed.
func skipText(r *bufio.Reader) (signed, ok bool) {
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return signed, false
		}
		if string(line) == ".\r\n" {
			return signed, true
		}
		signed = signed || bytes.HasPrefix(line, []byte("DKIM-Signature:"))
	}
}
