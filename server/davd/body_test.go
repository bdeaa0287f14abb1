package davd

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"facteur/server/address"
	"facteur/server/auth"
)

// readFunc is a body that a function gives.
type readFunc func(p []byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

// stalled is a body that waits when fewer octets than so many are left, and is broken off when it is released.
func stalled(text string, left int, waits chan<- struct{}, release <-chan struct{}) io.Reader {
	rest := strings.NewReader(text)
	return readFunc(func(p []byte) (int, error) {
		if rest.Len() < left {
			waits <- struct{}{}
			<-release
			return 0, io.ErrUnexpectedEOF
		}
		return rest.Read(p)
	})
}

// largeRequest is a REPORT with a body of so many octets; negative: it does not say of how many.
func largeRequest(who address.Address, body io.Reader, octets int) *http.Request {
	r := httptest.NewRequest("REPORT", "/dav/"+who.String()+"/calendar/", body)
	r.ContentLength = int64(octets)
	return r
}

// TestTrickledBodies: however many large bodies of others are on their way, those that are there
// are answered at once.
func TestTrickledBodies(t *testing.T) {
	s := newServer(t)
	body := largeReport()
	waits, release := make(chan struct{}), make(chan struct{})
	done := make(chan int)
	const each = 6
	for _, who := range []address.Address{bob, carol} {
		for range each {
			slow := stalled(body, len(body)/2, waits, release)
			go func() {
				w := httptest.NewRecorder()
				s.handler.Serve(w, largeRequest(who, slow, len(body)), auth.Credential{Account: who})
				done <- w.Code
			}()
		}
	}
	for range 2 * each {
		<-waits // else one keeps the others from coming
	}
	if used := s.handler.memory.used; used != 0 {
		t.Errorf("%d octets are taken by what has not come", used)
	}
	s.report(calendarPath, body).want(207)
	close(release)
	for range 2 * each {
		if status := <-done; status != http.StatusBadRequest {
			t.Errorf("one that is broken off: %d", status)
		}
	}
	if s.handler.memory.used != 0 || s.handler.opt.Bodies.InUse() != 0 {
		t.Error("something is not given back")
	}
}

// TestSlowPhone: a large body may take its time.
func TestSlowPhone(t *testing.T) {
	var passed atomic.Int64
	s := newServer(t, func(o *Options) {
		begin := o.Now()
		o.Now = func() time.Time { return begin.Add(time.Duration(passed.Load())) }
	})
	body := largeReport()
	rest := strings.NewReader(body)
	slow := readFunc(func(p []byte) (int, error) {
		passed.Add(int64(time.Second))
		return rest.Read(p[:min(len(p), 20_000)])
	})
	w := httptest.NewRecorder()
	s.handler.Serve(w, largeRequest(alice, slow, len(body)), auth.Credential{Account: alice})
	if w.Code != 207 {
		t.Errorf("after %v: %d %.200s", time.Duration(passed.Load()), w.Code, w.Body)
	}
}

// TestEndlessBody: one that is not told of its size is read up to the bound.
func TestEndlessBody(t *testing.T) {
	s := newServer(t)
	w := httptest.NewRecorder()
	endless := readFunc(func(p []byte) (int, error) { return copy(p, strings.Repeat(" ", len(p))), nil })
	s.handler.Serve(w, largeRequest(alice, endless, -1), auth.Credential{Account: alice})
	if w.Code != http.StatusRequestEntityTooLarge || s.handler.opt.Bodies.InUse() != 0 {
		t.Errorf("%d", w.Code)
	}
}

// TestSlowReaders: who takes a large answer slowly is cut off when others wait, and not before.
func TestSlowReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		cut := 0
		slow := func(account address.Key) {
			var c *claim
			var err error
			if c, err = m.take(t.Context(), account, maxOfAccount, func() {
				if cut++; cut <= 2 {
					go c.keep(0)
				}
			}); err != nil {
				t.Fatal(err)
			}
		}
		slow("a")
		slow("b")
		if _, err := m.take(t.Context(), "c", 1, func() {}); err == nil || cut != 0 {
			t.Errorf("%d are cut off while they may go on", cut)
		}
		time.Sleep(time.Hour)
		if cut != 0 {
			t.Error("nobody waits")
		}
		begin := time.Now()
		if _, err := m.take(t.Context(), "c", 1, func() {}); err != nil || cut != 2 || time.Since(begin) > impatience {
			t.Errorf("%d are cut off, %v, after %v", cut, err, time.Since(begin))
		}
	})
}

// stuck is an answer that nobody takes.
type stuck struct {
	header http.Header
	writes chan struct{}
	over   chan struct{}
}

func (w *stuck) Header() http.Header { return w.header }
func (w *stuck) WriteHeader(int)     {}
func (w *stuck) Write([]byte) (int, error) {
	w.writes <- struct{}{}
	<-w.over
	return 0, http.ErrHandlerTimeout
}

// SetWriteDeadline is for http.ResponseController.
func (w *stuck) SetWriteDeadline(time.Time) error {
	close(w.over)
	return nil
}

// TestCutOffForOthers: one that is cut off ends, and gives back what it has.
func TestCutOffForOthers(t *testing.T) {
	s := newServer(t)
	body := largeReport()
	w := &stuck{header: make(http.Header), writes: make(chan struct{}), over: make(chan struct{})}
	ended := make(chan any)
	go func() {
		defer func() { ended <- recover() }()
		s.handler.Serve(w, largeRequest(alice, strings.NewReader(body), len(body)), auth.Credential{Account: alice})
	}()
	<-w.writes
	s.handler.memory.cutSlow(time.Now())
	if got := <-ended; got != http.ErrAbortHandler {
		t.Errorf("it ends with %v", got)
	}
	if s.handler.memory.used != 0 || len(s.handler.memory.held) != 0 {
		t.Errorf("%d octets are not given back", s.handler.memory.used)
	}
}

// TestTrickledObjects: large objects that come slowly are not in memory meanwhile.
func TestTrickledObjects(t *testing.T) {
	s := newServer(t)
	const size, each = 8 << 20, 6
	text := event("large", "DTSTART:20260510T080000Z", "DESCRIPTION:"+strings.Repeat("x", size))
	waits, release := make(chan struct{}), make(chan struct{})
	done := make(chan int)
	grown := resident(t, func() {
		for i := range 3 * each {
			who := []address.Address{alice, bob, carol}[i%3]
			slow := stalled(text, size/8, waits, release)
			go func() {
				w := httptest.NewRecorder()
				r := httptest.NewRequest("PUT", fmt.Sprintf("/dav/%s/calendar/%d.ics", who, i), slow)
				r.ContentLength = int64(len(text))
				s.handler.Serve(w, r, auth.Credential{Account: who})
				done <- w.Code
			}()
		}
		for range 3 * each {
			<-waits
		}
	})
	t.Logf("%d MB more are resident with %d objects of %d MB on their way", grown>>20, 3*each, size>>20)
	if grown > 64<<20 && !raceEnabled {
		t.Errorf("%d MB more are resident", grown>>20)
	}
	close(release)
	for range 3 * each {
		if status := <-done; status != http.StatusBadRequest {
			t.Errorf("one that is broken off: %d", status)
		}
	}
	if got := s.ask("PUT", calendarPath+"l.ics", text).status; got != http.StatusCreated {
		t.Errorf("one that comes: %d", got)
	}
	if s.handler.opt.Bodies.InUse() != 0 {
		t.Error("something is not given back")
	}
}
