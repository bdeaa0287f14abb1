package httpd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"facteur/server/auth"
)

// An upload may take its time as long as something comes.
func TestSlowUpload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rounds, piece = 40, 40 << 10
		_, ln := serve(t, Options{DAV: func(w http.ResponseWriter, r *http.Request, _ auth.Credential) {
			n, err := io.Copy(io.Discard, r.Body)
			time.Sleep(10 * time.Minute) // what is made of it may take long too
			fmt.Fprint(w, n, err, r.Context().Err())
		}})
		c := ln.dial()
		defer c.Close()
		say(t, c, head("PUT /dav/x", fmt.Sprintf("Content-Length: %d", rounds*piece)))
		for range rounds {
			time.Sleep(35 * time.Second)
			say(t, c, strings.Repeat("x", piece))
		}
		if resp, body := reply(t, c); resp.StatusCode != 200 || body != fmt.Sprint(rounds*piece, nil, nil) {
			t.Errorf("%d %q", resp.StatusCode, body)
		}
	})
}

// An upload that stops, or comes octet by octet, ends.
func TestStalledUpload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failed := make(chan error, 1)
		_, ln := serve(t, Options{DAV: func(w http.ResponseWriter, r *http.Request, _ auth.Credential) {
			_, err := io.Copy(io.Discard, r.Body)
			failed <- err
		}})
		for _, every := range []time.Duration{0, 20 * time.Second} {
			c := ln.dial()
			say(t, c, head("PUT /dav/x", "Content-Length: 1000"))
			begun := time.Now()
			var dripping sync.WaitGroup
			dripping.Go(func() {
				for every > 0 {
					if _, err := c.Write([]byte("x")); err != nil {
						return
					}
					time.Sleep(every)
				}
			})
			if err := <-failed; !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begun) > 2*time.Minute {
				t.Errorf("every %v: %v after %v", every, err, time.Since(begun))
			}
			c.Close()
			dripping.Wait()
		}
	})
}

// An answer may take its time as long as the client takes it; one that nobody takes ends.
func TestSlowAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 4 << 20
		ended := make(chan error, 1)
		_, ln := serve(t, Options{DAV: func(w http.ResponseWriter, r *http.Request, _ auth.Credential) {
			_, err := w.Write(make([]byte, size))
			ended <- err
		}})
		c := ln.dial()
		defer c.Close()
		say(t, c, head("GET /dav/x"))
		resp, err := http.ReadResponse(bufio.NewReaderSize(c, 16), nil)
		if err != nil {
			t.Fatal(err)
		}
		got := 0
		for buf := make([]byte, 32<<10); ; {
			n, err := io.ReadFull(resp.Body, buf)
			got += n
			if err != nil {
				break
			}
			time.Sleep(10 * time.Second) // 20 minutes for all
		}
		if err := <-ended; err != nil || got != size {
			t.Errorf("%d octets, %v", got, err)
		}

		c = ln.dial()
		defer c.Close()
		say(t, c, head("GET /dav/x"))
		begun := time.Now()
		if err := <-ended; err == nil || time.Since(begun) != time.Minute {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
	})
}

// With HTTP/2 a stream that nobody reads or fills ends, and the others of its connection go on.
func TestStalledStreams(t *testing.T) {
	ended := make(chan error, 2)
	client, base := webClient(t, Options{Part: 200 * time.Millisecond, DAV: func(w http.ResponseWriter, r *http.Request, _ auth.Credential) {
		var err error
		switch r.Method {
		case "GET":
			_, err = w.Write(make([]byte, 16<<20))
		case "PUT":
			_, err = io.Copy(io.Discard, r.Body)
		default:
			return
		}
		ended <- err
	}})
	ask := func(method string, body io.Reader) (*http.Response, error) {
		req, err := http.NewRequest(method, base+"/dav/x", body)
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth("alice@example.org", "demo")
		return client.Do(req)
	}
	resp, err := ask("GET", nil)
	if err != nil || resp.ProtoMajor != 2 {
		t.Fatal(resp, err)
	}
	defer resp.Body.Close() // and never read
	if err := <-ended; err == nil {
		t.Error("an answer that nobody reads went out")
	}
	in, out := io.Pipe()
	defer out.Close()
	go func() {
		if resp, err := ask("PUT", in); err == nil {
			resp.Body.Close()
		}
	}()
	if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a body that does not come: %v", err)
	}
	resp, err = ask("OPTIONS", nil)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp, err)
	}
	resp.Body.Close()
}

// What is no body: a head that does not end, a client that asks for nothing more, and a
// body that nobody wants.
func TestSlowHeads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, ln := serve(t, Options{DAV: func(http.ResponseWriter, *http.Request, auth.Credential) {}})
		for _, c := range []struct {
			name, said string
			replies    int // -1: any number
			after      time.Duration
		}{
			{"nothing", "", 0, 30 * time.Second},
			{"half a head", "GET / HTTP/1.1\r\nHost: x\r\n", 0, 30 * time.Second},
			{"idle", head("GET /dav/x"), 1, 3 * time.Minute},
			{"an unwanted body", "PUT /dav/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n", -1, time.Minute},
		} {
			conn := ln.dial()
			say(t, conn, c.said)
			begun := time.Now()
			text, err := io.ReadAll(conn)
			if n := strings.Count(string(text), "HTTP/1.1 "); err != nil || c.replies >= 0 && n != c.replies || time.Since(begun) > c.after+time.Second {
				t.Errorf("%s: %q, %v after %v", c.name, text, err, time.Since(begun))
			}
		}
	})
}

// A body is bounded, and so is a head.
func TestTooLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, ln := serve(t, Options{Body: 100, DAV: func(w http.ResponseWriter, r *http.Request, _ auth.Credential) {
			var tooLarge *http.MaxBytesError
			if _, err := io.Copy(io.Discard, r.Body); errors.As(err, &tooLarge) {
				http.Error(w, "", http.StatusRequestEntityTooLarge)
			}
		}})
		c := ln.dial()
		defer c.Close()
		go io.WriteString(c, head("PUT /dav/x", "Content-Length: 101")+strings.Repeat("x", 101))
		if resp, _ := reply(t, c); resp.StatusCode != http.StatusRequestEntityTooLarge {
			t.Error(resp.Status)
		}
		c = ln.dial()
		defer c.Close()
		go io.WriteString(c, head("GET /dav/"+strings.Repeat("x", 80<<10)))
		if resp, _ := reply(t, c); resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Error(resp.Status)
		}
	})
}

// A shutdown lets a request end, and closes connections that only wait.
func TestShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here := make(chan struct{})
		s, ln := serve(t, Options{DAV: func(w http.ResponseWriter, r *http.Request, _ auth.Credential) {
			close(here)
			time.Sleep(5 * time.Second)
			fmt.Fprint(w, r.Context().Err())
		}})
		fresh, idle, busy := ln.dial(), ln.dial(), ln.dial()
		say(t, idle, "GET /.well-known/caldav HTTP/1.1\r\nHost: x\r\n\r\n")
		reply(t, idle)
		say(t, busy, head("GET /dav/x"))
		<-here
		done := make(chan error, 1)
		begun := time.Now()
		go func() { done <- s.Shutdown(t.Context()) }()
		for _, c := range []net.Conn{fresh, idle} {
			if _, err := io.ReadAll(c); err != nil || time.Since(begun) > time.Second {
				t.Errorf("%v after %v", err, time.Since(begun))
			}
		}
		if resp, body := reply(t, busy); resp.StatusCode != 200 || body != "<nil>" || !resp.Close {
			t.Errorf("%d %q %v", resp.StatusCode, body, resp.Header)
		}
		if err := <-done; err != nil || time.Since(begun) > 6*time.Second {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
	})
}

// A request that does not end is cut off, and waited for.
func TestShutdownCuts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, over := make(chan struct{}), false
		s, ln := serve(t, Options{DAV: func(w http.ResponseWriter, r *http.Request, _ auth.Credential) {
			close(here)
			<-r.Context().Done()
			over = true
		}})
		say(t, ln.dial(), head("GET /dav/x"))
		<-here
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) || !over {
			t.Error(err, over)
		}
	})
}
