package homes

import (
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/collection"
)

// TestFailingIsTold: an owner is told once when a calendar could not be fetched for a day, for
// all that fail, and again only when it worked in between.
func TestFailingIsTold(t *testing.T) {
	p := newPublisher(t)
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var told [][]Failing
	deaf := false
	w := newWorld(t)
	w.more = func(o *Options) {
		o.Resolver, o.Now = resolver{}, func() time.Time { return now }
		o.Tell = func(all []Failing) bool {
			told = append(told, all)
			return !deaf
		}
	}
	start := func() {
		w.restart()
		w.Apply(Settings{Hosts: []string{p.host()}})
	}
	start()
	well := feedHead + feedEvent("1", "20260301T120000Z", "DTSTART:20260501T100000Z") + "END:VCALENDAR\r\n"
	p.set(200, well)
	for _, name := range []string{"news", "sport"} {
		_, err := w.home(alice, alice).Subscribe(name, p.URL+"/secret/"+name+".ics", collection.Props{DisplayName: strings.ToUpper(name)})
		w.must(err)
	}
	// pass is what Run does each minute, for so long.
	pass := func(d time.Duration) {
		for end := now.Add(d); now.Before(end); now = now.Add(time.Minute) {
			w.fetchDue(t.Context())
			w.tellFailing()
		}
	}
	pass(2 * time.Hour)
	if got := w.Failing(); len(got) != 0 {
		t.Fatalf("all is well, and yet %+v", got)
	}
	before := w.state(w.collection(alice, alice, "news"))
	p.set(404, "")
	failed := now
	pass(23 * time.Hour)
	if len(told) != 0 {
		t.Errorf("told after less than a day: %+v", told)
	}
	all := w.Failing()
	if len(all) != 2 || all[0].Collection != "news" || all[0].DisplayName != "NEWS" || all[0].Reason != Gone || all[0].Host != p.host() ||
		all[0].Since.Sub(failed) > time.Hour || all[0].Detail != "the answer was 404" || strings.Contains(all[0].Detail, "secret") {
		t.Errorf("failing are %+v", all)
	}
	start() // a restart forgets nothing
	deaf = true
	asked := p.asked
	pass(3 * time.Hour)
	if len(told) < 2 || p.asked != asked+2 {
		t.Fatalf("told %d times, asked %d times: each once more before the owner is told, and he until he is reached", len(told), p.asked-asked)
	}
	told, deaf = nil, false
	pass(time.Minute)
	if len(told) != 1 || len(told[0]) != 2 || told[0][0].Owner.String() != alice {
		t.Fatalf("told %+v", told)
	}
	start()
	pass(50 * time.Hour)
	if len(told) != 1 {
		t.Errorf("told again: %+v", told)
	}
	if got := w.state(w.collection(alice, alice, "news")); got != before {
		t.Errorf("what was fetched last is\n%s, before\n%s", got, before)
	}
	p.set(200, well)
	pass(25 * time.Hour)
	if got := w.Failing(); len(got) != 0 {
		t.Errorf("it works again, and yet %+v", got)
	}
	p.set(500, "")
	pass(26 * time.Hour)
	if len(told) != 2 {
		t.Errorf("it failed anew, and the owner was told %d times in all", len(told))
	}
	// A reload takes the host away, and gives it back: it counts at once, without waiting.
	p.set(200, well)
	w.Apply(Settings{})
	pass(time.Minute)
	if got := w.Failing(); len(got) != 2 || got[0].Reason != NotAllowed || !strings.HasPrefix(got[0].Detail, "mail.toml does not let") {
		t.Errorf("without the host %+v", got)
	}
	w.Apply(Settings{Hosts: []string{p.host()}})
	pass(time.Minute)
	if got := w.Failing(); len(got) != 0 {
		t.Errorf("with the host again %+v", got)
	}
}

// TestReasons: an error of a fetch is sorted by what a person can do about it.
func TestReasons(t *testing.T) {
	p := newPublisher(t)
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(secure.Close)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	w := newWorld(t)
	w.more = func(o *Options) { o.Resolver, o.Roots = resolver{"private.example": "10.1.2.3"}, x509.NewCertPool() }
	w.restart()
	tls := strings.TrimPrefix(secure.URL, "https://")
	w.Apply(Settings{Hosts: []string{p.host(), tls, closed.Addr().String(), "private.example", "nowhere.example"}})
	for _, c := range []struct {
		name   string
		url    string
		status int
		text   string
		want   Reason
	}{
		{"not named", "https://elsewhere.example/x.ics", 200, "", NotAllowed},
		{"a redirect to what is not named", p.URL + "/away.ics", 200, "", LeadsAway},
		{"404", p.URL, 404, "", Gone},
		{"410", p.URL, 410, "", Gone},
		{"a password is asked for", p.URL, 401, "", Denied},
		{"503", p.URL, 503, "", BadStatus},
		{"a page", p.URL, 200, "<!doctype html><html>", NoCalendar},
		{"nothing", p.URL, 200, "", NoCalendar},
		{"octets", p.URL, 200, strings.Repeat("x", maxFeed+1), TooLarge},
		{"objects", p.URL, 200, feedHead + manyEvents(maxFeedObjects+1) + "END:VCALENDAR\r\n", TooLarge},
		{"a certificate of nobody", secure.URL, 200, "", Certificate},
		{"no TLS", "https://" + p.host(), 200, "", Certificate},
		{"no server", "http://" + closed.Addr().String(), 200, "", Unreachable},
		{"no such host", "http://nowhere.example/", 200, "", Unreachable},
		{"a private address", "http://private.example/", 200, "", Unreachable},
	} {
		p.set(c.status, c.text)
		u, err := w.feeds.readSource(c.url)
		var data []byte
		if err == nil {
			_, data, err = w.feeds.get(t.Context(), u, fetched{})
		}
		if err == nil {
			_, err = splitFeed(data)
		}
		if err == nil || reasonOf(err) != c.want {
			t.Errorf("%s: %v is %q, want %q", c.name, err, reasonOf(err), c.want)
		}
	}
}

func manyEvents(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(feedEvent(strconv.Itoa(i), "20260301T120000Z", "DTSTART:20260501T100000Z"))
	}
	return b.String()
}

// TestTellOnce: who has several that fail gets one notice, and each owner his own.
func TestTellOnce(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var owners []string
	w := newWorld(t)
	w.more = func(o *Options) {
		o.Resolver, o.Now = resolver{}, func() time.Time { return now }
		o.Tell = func(all []Failing) bool {
			owners = append(owners, all[0].Owner.String())
			return true
		}
	}
	w.restart()
	w.Apply(Settings{Hosts: []string{"gone.example"}})
	for _, owner := range []string{bob, alice} {
		home, err := w.Own(address.MustParse(owner))
		w.must(err)
		_, err = home.Subscribe("x", "http://gone.example/x.ics", collection.Props{})
		w.must(err)
	}
	w.fetchDue(t.Context())
	now = now.Add(tellAfter)
	w.tellFailing()
	w.tellFailing()
	if !slices.Equal(owners, []string{alice, bob}) {
		t.Errorf("told %q", owners)
	}
}
