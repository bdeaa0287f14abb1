package intake

import (
	"database/sql"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/dns"
	"facteur/server/hook"
	"facteur/server/senderauth"
	"facteur/server/statedb"
	"facteur/server/testkit"
)

func openGreylist(t *testing.T, path string) *Greylist {
	t.Helper()
	db, err := statedb.Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	g, err := OpenGreylist(db)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// TestGreylistMemory: what comes first waits, what comes again passes, and its client is
// known from then on; all of that over a restart.
func TestGreylistMemory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	g := openGreylist(t, path)
	start := time.Unix(1_800_000_000, 0)
	const day = 24 * time.Hour
	for i, c := range []struct {
		at     time.Duration
		client string
		spf    string // the domain that the client speaks for
		to     address.Key
		after  time.Duration
		want   time.Duration
	}{
		{0, "192.0.2.0/24", "", "a", 0, greyAfter},
		{time.Minute, "192.0.2.0/24", "", "a", 0, greyAfter - time.Minute},
		{time.Minute, "192.0.2.0/24", "", "b", time.Hour, time.Hour},
		{2 * time.Minute, "192.0.9.0/24", "", "a", 0, greyAfter},
		{greyAfter - time.Second, "192.0.2.0/24", "", "a", 0, time.Second},
		{greyAfter, "192.0.2.0/24", "", "a", 0, 0},
		{greyAfter, "192.0.2.0/24", "", "c", time.Hour, 0}, // the client is known
		{greyAfter, "192.0.9.0/24", "", "c", 48 * time.Hour, day},
		{35 * day, "192.0.2.0/24", "", "d", 0, 0}, // and stays so while it comes
		{70 * day, "192.0.2.0/24", "", "e", 0, 0},
		{107 * day, "192.0.2.0/24", "", "e", 0, greyAfter},
		{107 * day, "192.0.9.0/24", "", "a", 0, greyAfter}, // 36 days later it is new again
		// A large sender: another address each time, one domain.
		{108 * day, "198.51.100.0/24", "big.example", "a", 0, greyAfter},
		{108*day + greyAfter, "203.0.113.0/24", "big.example", "a", 0, 0},
		{108*day + greyAfter, "198.51.100.0/24", "big.example", "z", 0, 0},
		{108*day + greyAfter, "198.51.100.0/24", "", "z", 0, greyAfter}, // it does not speak for it now
	} {
		if i == 9 { // a restart
			if err := g.db.Close(); err != nil {
				t.Fatal(err)
			}
			g = openGreylist(t, path)
		}
		wait, err := g.Check(t.Context(), GreyTriple{c.client, "z@example.net", c.to}, c.after, start.Add(c.at), func() string { return c.spf })
		if err != nil || wait != c.want {
			t.Errorf("%d: %v, %v, want %v", i, wait, err, c.want)
		}
	}
}

// TestGreylistBound: no more is kept than fits.
func TestGreylistBound(t *testing.T) {
	if testing.Short() {
		t.Skip("much work in one goroutine")
	}
	g := openGreylist(t, filepath.Join(t.TempDir(), "state.db"))
	now := time.Unix(1_800_000_000, 0)
	left := 0
	if err := g.db.Write(t.Context(), fill(maxGrey+500, now)); err != nil {
		t.Fatal(err)
	}
	for i := range greySweep + 2 {
		if _, err := g.Check(t.Context(), GreyTriple{fmt.Sprint(i), "s", "r"}, 0, now.Add(time.Hour), func() string { return "" }); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.db.Read(t.Context(), count(&left)); err != nil {
		t.Fatal(err)
	}
	if left > maxGrey+greySweep || left < maxGrey {
		t.Errorf("%d are kept", left)
	}
}

func TestGreyNetwork(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.77": "192.0.2.0/24", "2001:db8:1:2:3::4": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64",
	} {
		if got := greyNetwork(netip.MustParseAddr(in)); got != want {
			t.Errorf("%s: %s", in, got)
		}
	}
}

// TestGreylist: who is put off by a script, and who never is.
func TestGreylist(t *testing.T) {
	names := testkit.NewDNS(t, "example.net. TXT \"v=spf1 ip4:192.0.2.0/24 -all\"\n")
	resolver, err := dns.New(dns.Options{Servers: []string{names.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	grey := func(after time.Duration) hook.Hook {
		return at(hook.Rcpt, hook.Action{Kind: hook.Greylist, For: after})
	}
	for _, c := range []struct {
		name    string
		hooks   []hook.Hook
		mail    mail
		trusted string
		want    string
	}{
		{"new", []hook.Hook{grey(90 * time.Second)}, mail{to: bob}, "", "450 4.7.1"},
		{"the longest time", []hook.Hook{grey(time.Second), grey(90 * time.Second)}, mail{to: bob}, "", "450 4.7.1"},
		{"no script says so", nil, mail{to: bob}, "", ""},
		{"own user", []hook.Hook{grey(90 * time.Second)}, mail{as: "alice@example.org", to: bob}, "", ""},
		{"by LMTP", []hook.Hook{grey(90 * time.Second)}, mail{listener: "lmtp", to: bob}, "", ""},
		{"trusted", []hook.Hook{grey(90 * time.Second)}, mail{to: bob}, "192.0.2.0/28", ""},
		{"nobody's address is refused first", []hook.Hook{grey(90 * time.Second)}, mail{to: []string{"nobody@example.org"}}, "", "550 5.1.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			now := time.Unix(1_800_000_000, 0)
			w.Intake.opts.Now = func() time.Time { return now }
			w.Intake.opts.Greylist = openGreylist(t, filepath.Join(t.TempDir(), "state.db"))
			w.Intake.opts.Verifier = senderauth.NewVerifier(senderauth.VerifierOptions{Log: w.opts.Log}, senderauth.Settings{Resolver: resolver})
			if c.trusted != "" {
				w.settings.Trusted = []netip.Prefix{netip.MustParsePrefix(c.trusted)}
			}
			w.hooks(c.hooks, nil)
			err := w.send(c.mail).first()
			if got := answer(err); got != c.want {
				t.Fatalf("%q, want %q", got, c.want)
			}
			if c.want != "450 4.7.1" {
				return
			}
			if !strings.Contains(err.Error(), "try again in 90 seconds") {
				t.Error(err)
			}
			now = now.Add(90 * time.Second)
			if err := w.send(c.mail).first(); err != nil {
				t.Errorf("when it comes again: %v", err)
			}
			if n := len(w.inbox(bob[0])); n != 1 {
				t.Errorf("%d messages", n)
			}
		})
	}
}

// fill notes many triples.
func fill(n int, now time.Time) func(*sql.Tx) error {
	return func(tx *sql.Tx) error {
		s, err := tx.Prepare("INSERT INTO greylist VALUES (?, 's', 'old', ?)")
		if err != nil {
			return err
		}
		defer s.Close()
		for i := range n {
			if _, err := s.Exec(fmt.Sprint(i), now.Unix()+int64(i)); err != nil {
				return err
			}
		}
		return nil
	}
}

func count(n *int) func(*sql.Tx) error {
	return func(tx *sql.Tx) error { return tx.QueryRow("SELECT COUNT(*) FROM greylist").Scan(n) }
}
