package homes

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"facteur/server/collection"
	"facteur/server/fault"
)

// publisher is a server with one calendar.
type publisher struct {
	*httptest.Server
	mu     sync.Mutex
	text   string
	status int
	asked  int
}

func newPublisher(t *testing.T) *publisher {
	p := &publisher{status: 200}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.asked++
		tag := fmt.Sprintf("%q", fmt.Sprint(len(p.text)))
		switch {
		case r.URL.Path == "/away.ics":
			http.Redirect(w, r, "http://elsewhere.example/x.ics", http.StatusFound)
		case p.status != 200:
			w.WriteHeader(p.status)
		case r.Header.Get("If-None-Match") == tag:
			w.WriteHeader(http.StatusNotModified)
		default:
			w.Header().Set("ETag", tag)
			fmt.Fprint(w, p.text)
		}
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *publisher) set(status int, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status, p.text = status, text
}

func (p *publisher) host() string { return strings.TrimPrefix(p.URL, "http://") }

type resolver map[string]string

func (r resolver) Addrs(_ context.Context, host string) ([]netip.Addr, error) {
	if ip, ok := r[host]; ok {
		return []netip.Addr{netip.MustParseAddr(ip)}, nil
	}
	return nil, errors.New("no such host")
}

const feedHead = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//\r\nMETHOD:PUBLISH\r\nX-WR-CALNAME:Holidays\r\n" +
	"BEGIN:VTIMEZONE\r\nTZID:Here\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0100\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"

func feedEvent(uid, stamp string, more ...string) string {
	return lines(append([]string{"BEGIN:VEVENT", "UID:" + uid, "DTSTAMP:" + stamp}, append(more, "END:VEVENT")...)...)
}

func TestSubscription(t *testing.T) {
	p := newPublisher(t)
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	w := newWorld(t)
	w.more = func(o *Options) { o.Resolver, o.Now = resolver{}, func() time.Time { return now } }
	w.restart()
	h := w.home(alice, alice)
	if _, err := h.Subscribe("holidays", p.URL+"/h.ics", collection.Props{}); !fault.Is(err, fault.Policy) {
		t.Fatalf("subscribed though mail.toml names no host: %v", err)
	}
	w.Apply(Settings{Hosts: []string{p.host()}})
	one := feedEvent("1", "20260301T120000Z", "DTSTART;TZID=Here:20260501T100000", "RRULE:FREQ=DAILY;COUNT=3", "BEGIN:VALARM", "ACTION:AUDIO", "TRIGGER:-PT5M", "END:VALARM")
	override := feedEvent("1", "20260301T120000Z", "RECURRENCE-ID;TZID=Here:20260502T100000", "DTSTART;TZID=Here:20260502T110000")
	two := feedEvent("2", "20260301T120000Z", "DTSTART;VALUE=DATE:20260701")
	p.set(200, feedHead+one+two+override+feedEvent("3", "20260301T120000Z", "DTSTART:nonsense")+"END:VCALENDAR\r\n")
	c, err := h.Subscribe("holidays", p.URL+"/h.ics", collection.Props{DisplayName: "Holidays"})
	w.must(err)
	if c.Origin != Subscribed || c.Rights.Has(Write) || !c.Rights.Has(Administer|Describe|Read) {
		t.Errorf("origin %v, rights %b", c.Origin, c.Rights)
	}
	w.fetchDue(t.Context())
	s, err := c.Snapshot()
	w.must(err)
	if s.Len() != 2 {
		t.Fatalf("%d objects, want 2", s.Len())
	}
	for e := range s.All() {
		text := w.text(c, e.Href)
		if e.Facts.UID == "1" && (strings.Count(text, "BEGIN:VEVENT") != 2 || !strings.Contains(text, "BEGIN:VTIMEZONE")) || strings.Contains(text, "VALARM") || strings.Contains(text, "METHOD") {
			t.Errorf("kept as %s", text)
		}
	}
	before := w.state(c)

	// Not before it is due, and not what is the same, but for the time of the request.
	w.fetchDue(t.Context())
	now = now.Add(fetchEvery)
	w.fetchDue(t.Context())
	if p.asked != 2 {
		t.Errorf("asked %d times, want 2", p.asked)
	}
	p.set(200, feedHead+strings.ReplaceAll(two+one+override, "DTSTAMP:20260301T120000Z", "DTSTAMP:20260301T130000Z")+"END:VCALENDAR\r\n")
	now = now.Add(fetchEvery)
	w.restart()
	w.Apply(Settings{Hosts: []string{p.host()}})
	w.fetchDue(t.Context())
	if got := w.state(w.collection(alice, alice, "holidays")); got != before || p.asked != 3 {
		t.Errorf("the same calendar again (asked %d times):\n%s, before\n%s", p.asked, got, before)
	}

	// A failure loses nothing.
	for _, text := range []string{"<html>", ""} {
		p.set(200, text)
		now = now.Add(retryMost)
		w.fetchDue(t.Context())
		if got := w.state(w.collection(alice, alice, "holidays")); got != before {
			t.Errorf("after %q\n%s, before\n%s", text, got, before)
		}
	}
	p.set(500, "")
	asked := p.asked
	now = now.Add(retryAfter)
	w.fetchDue(t.Context())
	if p.asked != asked {
		t.Error("it is asked as often though it failed")
	}
	p.set(200, feedHead+two+"END:VCALENDAR\r\n")
	now = now.Add(retryMost)
	w.fetchDue(t.Context())
	c = w.collection(alice, alice, "holidays")
	if s, err := c.Snapshot(); err != nil || s.Len() != 1 {
		t.Errorf("%d objects, want 1, %v", s.Len(), err)
	}

	// It is shared, renamed and deleted as others are.
	w.must(c.Share(c.home.homes.opt.Directory().Accounts()[3].Address, true))
	if got := w.collection(dave, dave, alice+"~holidays"); got.Rights.Has(Write) || got.Origin != Subscribed {
		t.Errorf("dave has rights %b, origin %v", got.Rights, got.Origin)
	}
	state := w.state(c)
	w.must(w.home(alice, alice).Rename("holidays", "feast days", false))
	if got := w.state(w.collection(alice, alice, "feast days")); got != state {
		t.Errorf("renamed\n%s, before\n%s", got, state)
	}
	w.must(w.home(alice, alice).Delete("feast days"))
	if got := w.segments(alice, alice); slices.Contains(got, "feast days") {
		t.Errorf("deleted, and yet alice sees %q", got)
	}
}

func TestWhatMayBeFetched(t *testing.T) {
	p := newPublisher(t)
	p.set(200, feedHead+"END:VCALENDAR\r\n")
	_, port, _ := net.SplitHostPort(p.host())
	w := newWorld(t)
	reached := ""
	w.more = func(o *Options) {
		o.Resolver = resolver{"inside.example": "127.0.0.1", "private.example": "10.1.2.3", "linklocal.example": "169.254.169.254", "mapped.example": "::ffff:127.0.0.1", "outside.example": "192.0.2.1"}
		o.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			reached = addr
			if host, _, _ := net.SplitHostPort(addr); host == "192.0.2.1" {
				addr = p.host()
			}
			return new(net.Dialer).DialContext(ctx, network, addr)
		}
	}
	w.restart()
	w.Apply(Settings{Hosts: []string{p.host(), "outside.example", "inside.example:" + port, "private.example", "linklocal.example", "mapped.example:" + port}})
	for _, c := range []struct{ url, err, reached string }{
		{"http://outside.example/x.ics", "", "192.0.2.1:80"},
		{p.URL + "/x.ics", "", p.host()}, // named itself
		{"http://inside.example:" + port + "/x.ics", "public", ""},
		{"http://mapped.example:" + port + "/x.ics", "public", ""},
		{"http://private.example/x.ics", "no public address: one of your own network is reached by its address alone", ""},
		{"http://linklocal.example/x.ics", "no public address: one of your own network is reached by its address alone", ""},
		{p.URL + "/away.ics", "mail.toml", p.host()},
	} {
		reached = ""
		u, err := w.feeds.readSource(c.url)
		if err != nil {
			t.Errorf("%s: %v", c.url, err)
			continue
		}
		_, _, err = w.feeds.get(t.Context(), u, fetched{})
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) || reached != c.reached {
			t.Errorf("%s: %v, reached %q", c.url, err, reached)
		}
	}
	for _, source := range []string{"https://elsewhere.example/x.ics", "http://outside.example:8080/", "https://private.example:81/", "ftp://outside.example/", "file:///etc/passwd",
		"https://a:b@outside.example/x.ics", "outside.example/x.ics", "", "http://[::1]/", "http://127.0.0.1/x.ics", "https://outside.example/" + strings.Repeat("x", maxSource)} {
		if _, err := w.feeds.readSource(source); !fault.Is(err, fault.Policy) {
			t.Errorf("%q may be fetched: %v", source, err)
		}
	}
	if u, err := w.feeds.readSource("webcal://outside.example/x.ics"); err != nil || u.Scheme != "https" {
		t.Errorf("webcal: %v, %v", u, err)
	}
	p.set(200, strings.Repeat("x", maxFeed+1))
	u, _ := url.Parse(p.URL)
	if _, _, err := w.feeds.get(t.Context(), u, fetched{}); err == nil {
		t.Error("a calendar without an end was fetched")
	}
}

// TestRunEnds: Run fetches what was subscribed to while it runs, and ends.
func TestRunEnds(t *testing.T) {
	p := newPublisher(t)
	p.set(200, feedHead+feedEvent("1", "20260301T120000Z", "DTSTART:20260501T100000Z")+"END:VCALENDAR\r\n")
	w := newWorld(t)
	w.more = func(o *Options) { o.Resolver = resolver{} }
	w.restart()
	w.Apply(Settings{Hosts: []string{p.host()}})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { w.Run(ctx); close(done) }()
	c, err := w.home(alice, alice).Subscribe("h", p.URL, collection.Props{})
	w.must(err)
	changed := c.Changed().Subscribe()
	defer changed.Close()
	for {
		if s, err := c.Snapshot(); err != nil {
			t.Fatal(err)
		} else if s.Len() == 1 {
			break
		}
		<-changed.C
	}
	cancel()
	<-done
}

func FuzzSplitFeed(f *testing.F) {
	f.Add([]byte(feedHead + feedEvent("1", "x", "DTSTART;TZID=Here:20260501T100000") + feedEvent("", "y", "DTSTART:20260501T100000Z") + "END:VCALENDAR\r\n"))
	f.Add([]byte(feedHead + "BEGIN:VTODO\r\nUID:1\r\nEND:VTODO\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART:20260501\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		want, err := splitFeed(data)
		if err != nil {
			return
		}
		uids := make(map[string]bool)
		for href, object := range want {
			facts, err := DerivedIndex(collection.Calendar, object)
			if err != nil || uids[facts.UID] || len(href) != 36 {
				t.Fatalf("%s, of UID %q, is no object: %v", href, facts.UID, err)
			}
			uids[facts.UID] = true
		}
	})
}

func TestSubscriptionsAreBounded(t *testing.T) {
	w := newWorld(t)
	w.more = func(o *Options) { o.Resolver = resolver{} }
	w.restart()
	w.Apply(Settings{Hosts: []string{"127.0.0.1:1"}})
	h := w.home(alice, alice)
	for i := range maxFeeds {
		if _, err := h.Subscribe(fmt.Sprint("f", i), "http://127.0.0.1:1/x.ics", collection.Props{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.Subscribe("more", "http://127.0.0.1:1/x.ics", collection.Props{}); !fault.Is(err, fault.Policy) {
		t.Errorf("one more: %v", err)
	}
	if c := w.collection(alice, alice, "f7"); c.Name() != "f7" || c.Segment != "f7" {
		t.Errorf("its name is %q", c.Name())
	}
}

// TestFeedIsMended: what Google writes for a time that it does not know costs no event.
func TestFeedIsMended(t *testing.T) {
	want, err := splitFeed([]byte(feedHead + feedEvent("1", "20260301T120000Z", "DTSTART:20260501T100000Z", "CREATED:00001231T000000Z", "RRULE:") + "END:VCALENDAR\r\n"))
	if err != nil || len(want) != 1 {
		t.Errorf("%d objects, %v", len(want), err)
	}
}
