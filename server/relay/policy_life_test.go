package relay

import (
	"crypto/tls"
	"net/http"
	"testing"
	"time"

	"facteur/server/dns"
	"facteur/server/mtasts"
	"facteur/server/safefile"
	"facteur/server/testkit"
)

// TestPolicyOutlives: a policy that was fetched once is obeyed over a restart and
// while its domain can't be asked, until its time is over; then mail goes as without.
func TestPolicyOutlives(t *testing.T) {
	ca := testkit.NewAuthority(t)
	peer := testkit.NewPeer(t, testkit.PeerOptions{TLS: &tls.Config{Certificates: []tls.Certificate{testkit.Certificate(t, "mx1.example")}}})
	w := newWorld(t, map[string]*testkit.Peer{"192.0.2.1": peer})
	w.dns.Set(t, zone+"_mta-sts.one.example. TXT \"v=STSv1; id=1\"\nmta-sts.one.example. A 192.0.2.80\n")
	web := testkit.NewPolicy(t, ca.Issue(t, "mta-sts.one.example"), "version: STSv1\nmode: enforce\nmx: mx1.example\nmax_age: 100000\n")
	w.network.Host("192.0.2.80:443", web.Addr())
	now, dir := time.Now(), t.TempDir()
	clock := func() time.Time { return now }
	resolver, err := dns.New(dns.Options{Servers: []string{w.dns.Addr()}, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	send := func(what, want string) {
		t.Helper()
		store, err := mtasts.Open(mtasts.Options{Dir: dir, FS: safefile.OS, Resolver: resolver, Dial: w.network.DialContext, Roots: ca.Pool(), Now: clock})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		r := New(Options{Resolver: resolver, STS: store, Dial: w.network.DialContext, Roots: ca.Pool()}, Settings{Hostname: "mail.test"})
		defer r.Close()
		if got := brief(r.Attempt(t.Context(), mail("one.example", "a"))); got != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	send("fetched", "451 4.7.5")
	web.Set(http.NotFound)
	send("kept", "451 4.7.5")
	now = now.Add(10 * time.Minute)
	w.dns.Set(t, zone+"_mta-sts.one.example. TXT \"v=STSv1; id=2\"\nmta-sts.one.example. A 192.0.2.80\n")
	send("a new one can't be had", "451 4.7.5")
	now = now.Add(10 * time.Minute)
	w.dns.Fail("_mta-sts.one.example", true)
	send("nor asked for", "451 4.7.5")
	now = now.Add(100_000 * time.Second)
	send("over", "ok")
	web.Policy("version: STSv1\nmode: none\nmax_age: 100000\n")
	w.dns.Fail("_mta-sts.one.example", false)
	now = now.Add(10 * time.Minute)
	send("given up", "ok")
}
