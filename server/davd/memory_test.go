package davd

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"facteur/server/address"
)

// TestMemory: claims are met in their order, no account has more than its share, and who waits too
// long is sent away.
func TestMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		take := func(account address.Key, octets int64) chan *claim {
			got := make(chan *claim, 1)
			go func() {
				c, _ := m.take(t.Context(), account, octets, func() {})
				got <- c
			}()
			synctest.Wait()
			return got
		}
		has := func(got chan *claim) *claim {
			t.Helper()
			select {
			case c := <-got:
				return c
			default:
				return nil
			}
		}
		const half = maxOfAccount / 2
		a1, a2 := has(take("a", half)), has(take("a", half))
		a3 := take("a", 1)
		if a1 == nil || a2 == nil || has(a3) != nil {
			t.Fatal("the share of an account")
		}
		b := has(take("b", 2*maxBodies)) // all that it may have
		if b == nil || b.octets != maxOfAccount {
			t.Fatal("another account waits")
		}
		c1 := take("c", half)
		d := take("d", 1)
		a1.keep(1)
		synctest.Wait()
		if has(c1) != nil || has(d) != nil {
			t.Error("the claims of c and d")
		}
		first := has(a3)
		if first == nil {
			t.Fatal("a has room again")
		}
		first.keep(0)
		a1.keep(0)
		synctest.Wait()
		if has(c1) == nil || has(d) != nil {
			t.Error("c has room now, d has not")
		}
		time.Sleep(maxBodyWait)
		synctest.Wait()
		select {
		case c := <-d:
			if c != nil {
				t.Error("d has waited long enough")
			}
		default:
			t.Error("d still waits")
		}
		b.keep(0)
		a2.keep(0)
		if m.used != half || len(m.of) != 1 || len(m.waiting) != 0 {
			t.Errorf("%d octets, of %v, %d wait", m.used, m.of, len(m.waiting))
		}
	})
}

// largeReport is a multiget with as many hrefs as a body may have, and about as large.
func largeReport() string {
	href := "<D:href>" + calendarPath + strings.Repeat("x", 100) + "</D:href>"
	return `<C:calendar-multiget xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><D:getetag/></D:prop>` +
		strings.Repeat(href, 49_990) + `</C:calendar-multiget>`
}

// TestManyLargeBodies: however many large requests there are, what they take together is bounded, and
// small ones are answered beside them.
func TestManyLargeBodies(t *testing.T) {
	if raceEnabled {
		t.Skip("it measures")
	}
	s := newServer(t)
	s.keep("calendar", map[string]string{"a.ics": event("1")})
	body := largeReport()
	people := []address.Address{alice, bob, carol}
	var small []time.Duration
	grown := resident(t, func() {
		var large sync.WaitGroup
		for i := range 10 {
			large.Go(func() {
				who := people[i%len(people)].String()
				req, err := http.NewRequest("REPORT", s.url+"/dav/"+who+"/calendar/", strings.NewReader(body))
				if err != nil {
					t.Error(err)
					return
				}
				req.SetBasicAuth(who, "x")
				resp, err := s.client.Do(req)
				if err != nil {
					t.Error(err)
					return
				}
				defer resp.Body.Close()
				if n, err := io.Copy(io.Discard, resp.Body); resp.StatusCode != 207 && resp.StatusCode != 503 || err != nil {
					t.Errorf("%d, %d octets, %v", resp.StatusCode, n, err)
				}
			})
		}
		done := make(chan struct{})
		go func() {
			large.Wait()
			close(done)
		}()
		for {
			begin := time.Now()
			s.ask("PROPFIND", calendarPath, "", "Depth: 1").want(207)
			small = append(small, time.Since(begin))
			select {
			case <-done:
				return
			default:
			}
		}
	})
	slices.Sort(small)
	t.Logf("%d MB more are resident with ten reports of %d MB; of %d small requests half took less than %v, all but one in a hundred %v, the slowest %v",
		grown>>20, len(body)>>20, len(small), small[len(small)/2], small[len(small)*99/100], small[len(small)-1])
	if grown > 200<<20 {
		t.Errorf("%d MB more are resident", grown>>20)
	}
	if len(s.handler.memory.of) != 0 || s.handler.memory.used != 0 {
		t.Errorf("%d octets are not given back", s.handler.memory.used)
	}
}

// TestSmallBodies: they never wait, told of their size or not; a large one that waits too long is to be
// sent again.
func TestSmallBodies(t *testing.T) {
	s := newServer(t)
	for _, account := range []address.Key{"x", "y"} {
		if _, err := s.handler.memory.take(t.Context(), account, maxOfAccount, func() {}); err != nil {
			t.Fatal(err)
		}
	}
	const query = `<D:propfind xmlns:D="DAV:"><D:prop><D:getetag/></D:prop></D:propfind>`
	s.ask("PROPFIND", calendarPath, query, "Depth: 0").want(207)
	req, err := http.NewRequest("PROPFIND", s.url+calendarPath, iotest.OneByteReader(strings.NewReader(query))) // chunked
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Depth", "0")
	resp, err := s.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 207 {
		t.Errorf("chunked: %d", resp.StatusCode)
	}
	s.handler.memory.waiting = make([]*claim, maxBodiesWaiting) // no more may wait
	a := s.ask("REPORT", calendarPath, strings.Repeat(" ", freeBody+1)+query).want(503)
	if a.header.Get("Retry-After") == "" {
		t.Errorf("%v", a.header)
	}
	s.handler.memory.waiting = nil
}

// resident measures by how much the memory that the process has resident grows at the most while f
// runs, in octets.
func resident(t *testing.T, f func()) int64 {
	t.Helper()
	debug.FreeOSMemory()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil { // resets VmHWM
		t.Skip("the system does not tell how much memory there is at most: ", err)
	}
	status := func(name string) int64 {
		data, err := os.ReadFile("/proc/self/status")
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			if rest, ok := strings.CutPrefix(line, name); ok {
				kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				return kb << 10
			}
		}
		t.Fatal(fmt.Sprint("no ", name))
		return 0
	}
	before := status("VmRSS:")
	f()
	return status("VmHWM:") - before
}
