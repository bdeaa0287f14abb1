package auth

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"facteur/server/address"
	"facteur/server/fault"
)

// attack tries a wrong password so many times, on the clock of synctest.
func (w *world) attack(n int, name, from string) (refused int) {
	for range n {
		_, err := w.Login(context.Background(), Attempt{Name: name, Password: "wrong", Remote: netip.MustParseAddr(from)})
		if fault.Is(err, fault.TryLater) {
			refused++
		}
	}
	return refused
}

// slow returns how long a login takes, and whether it is refused.
func (w *world) slow(name, password, from string) string {
	start := time.Now()
	_, err := w.Login(context.Background(), Attempt{Name: name, Password: password, Remote: netip.MustParseAddr(from)})
	took := time.Since(start).String()
	switch {
	case fault.Is(err, fault.TryLater):
		return "blocked"
	case err != nil && !fault.Is(err, fault.AuthFailed):
		return err.Error()
	case err != nil:
		return "wrong after " + took
	}
	return "in after " + took
}

// TestJustLoggedIn: an address that has just logged in is slowed for what it
// does wrong, and never blocked.
func TestJustLoggedIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		if got := w.slow("bob@example.org", "b", "192.0.2.1"); got != "in after 0s" {
			t.Fatal(got)
		}
		if n := w.attack(60, "alice@example.org", "192.0.2.1"); n != 0 {
			t.Errorf("refused %d times", n)
		}
		if got := w.slow("alice@example.org", "wrong", "192.0.2.1"); got != "wrong after 8s" {
			t.Error(got)
		}
		if got := w.slow("alice@example.org", "wrong", "192.0.2.2"); got != "wrong after 4s" { // the account
			t.Error(got)
		}
		if n := w.attack(60, "alice@example.org", "192.0.2.2"); n == 0 {
			t.Error("a stranger is never blocked")
		}
	})
}

// TestDistributedGuessing has an account tried from ten thousand addresses: its
// owner gets in at once from where it was used, and after seconds from elsewhere.
func TestDistributedGuessing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		if got := w.slow("alice@example.org", "a", "198.51.100.1"); got != "in after 0s" {
			t.Fatal(got)
		}
		// Her password is a new one, so that it is not remembered.
		w.reload(nil)
		w.Authenticator.accepted = newMemory(maxAccepted)
		done := make(chan struct{})
		for g := range 20 {
			go func() {
				for i := range 500 {
					w.attack(1, "alice@example.org", fmt.Sprintf("203.%d.%d.7", g, i%250))
				}
				done <- struct{}{}
			}()
		}
		for range 20 {
			<-done
		}
		if got := w.slow("alice@example.org", "wrong", "198.51.100.1"); got != "wrong after 0s" {
			t.Errorf("a mistake at home: %s", got)
		}
		if got := w.slow("alice@example.org", "a", "198.51.100.1"); got != "in after 0s" {
			t.Errorf("at home: %s", got)
		}
		w.Authenticator.accepted = newMemory(maxAccepted)
		if got := w.slow("alice@example.org", "a", "192.0.2.77"); got != "in after 4s" {
			t.Errorf("elsewhere: %s", got)
		}
		time.Sleep(5 * time.Hour)
		w.Authenticator.accepted = newMemory(maxAccepted)
		if got := w.slow("alice@example.org", "a", "192.0.2.78"); got != "in after 0s" {
			t.Errorf("five hours later: %s", got)
		}
	})
}

// TestOwnPairOnly: a good login clears its own pair, and nothing else.
func TestOwnPairOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.attack(15, "alice@example.org", "192.0.2.1")
		w.attack(15, "bob@example.org", "192.0.2.1")
		w.slow("bob@example.org", "b", "192.0.2.1")
		w.Authenticator.accepted = newMemory(maxAccepted)
		if got := w.slow("alice@example.org", "wrong", "192.0.2.1"); got != "wrong after 8s" {
			t.Errorf("alice: %s", got)
		}
		if got := w.slow("bob@example.org", "wrong", "192.0.2.1"); got == "wrong after 0s" {
			t.Errorf("the client is forgiven: %s", got)
		}
	})
}

func TestSlowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		start := time.Now()
		told := func() (lines []string) {
			for _, s := range w.Slowed(10) {
				lines = append(lines, fmt.Sprintf("%v %s %v %d %v %v", s.Client, s.Account, s.Unknown, s.Failures, s.Blocked, s.Until.Sub(start).Round(time.Minute)))
			}
			return lines
		}
		w.attack(3, "alice@example.org", "192.0.2.1")
		if got := told(); len(got) > 0 {
			t.Errorf("%q", got)
		}
		w.attack(22, "alice@example.org", "192.0.2.1")
		w.attack(12, "alice@example.org", "192.0.2.9")
		w.attack(12, "bob@example.org", "192.0.2.1")
		w.attack(6, "hunter2", "2001:db8::1")
		lines := strings.Join(told(), "\n")
		for _, want := range []string{
			"192.0.2.1/32 Alice@example.org false", "2001:db8::/64  true", "invalid Prefix Alice@example.org false", "192.0.2.1/32  false",
		} {
			if !strings.Contains(lines, want) {
				t.Errorf("no %q in\n%s", want, lines)
			}
		}
		if strings.Contains(lines, "hunter2") {
			t.Error(lines)
		}
		for _, s := range w.Slowed(10) {
			if s.Blocked && (s.Client.String() != "192.0.2.1/32" || s.Account.IsZero()) {
				t.Errorf("%+v", s)
			}
		}
		if n := len(w.Slowed(1)); n != 1 {
			t.Errorf("%d", n)
		}
		if n := w.ForgetClients(netip.MustParsePrefix("2001:db8::5/128")); n == 0 {
			t.Error("the IPv6 client is not there")
		}
		if n := w.ForgetAccount(address.MustParse("alice@example.org")); n == 0 {
			t.Error("alice is not there")
		}
		if n := w.ForgetClients(netip.MustParsePrefix("192.0.2.0/24")); n == 0 {
			t.Error("the network is not there")
		}
		if n := w.ForgetClients(netip.MustParsePrefix("192.0.2.0/24")); n != 0 {
			t.Error("it is there again")
		}
		if got := told(); len(got) > 0 {
			t.Errorf("%q", got)
		}
		if got := w.slow("alice@example.org", "wrong", "192.0.2.1"); got != "wrong after 0s" {
			t.Error(got)
		}
	})
}

// TestUntil: who is blocked is so until the time that was told.
func TestUntil(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.attack(25, "alice@example.org", "192.0.2.1")
		i := slices.IndexFunc(w.Slowed(10), func(s Slowed) bool { return s.Blocked })
		if i < 0 {
			t.Fatal("not blocked")
		}
		until := w.Slowed(10)[i].Until
		time.Sleep(time.Until(until) - time.Second)
		if got := w.slow("alice@example.org", "wrong", "192.0.2.1"); got != "blocked" {
			t.Error(got)
		}
		time.Sleep(time.Second)
		if got := w.slow("alice@example.org", "wrong", "192.0.2.1"); got != "wrong after 8s" {
			t.Error(got)
		}
	})
}

// TestClockSetBack neither forgives nor blocks for long.
func TestClockSetBack(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	th := newThrottle(func() time.Time { return now })
	p := pair{subject: subject{netip.MustParsePrefix("192.0.2.1/32"), "alice@example.org"}}
	for range 1000 {
		th.failed(p)
	}
	now = now.Add(-time.Hour)
	if n := th.count(p.subject); n != maxCount {
		t.Errorf("%d failures", n)
	}
	th.failed(p)
	now = now.Add(maxCount * forgetAfter)
	if n := th.count(p.subject); n > 0 {
		t.Errorf("%d failures four hours later", n)
	}
}

func TestGoodIsBounded(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	th := newThrottle(func() time.Time { return now })
	for i := range maxSubjects {
		now = now.Add(time.Second)
		th.succeeded(pair{subject: subject{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32), "alice@example.org"}})
	}
	if len(th.good) > maxSubjects {
		t.Errorf("%d good logins", len(th.good))
	}
}

func TestSeen(t *testing.T) {
	w := newWorld(t)
	var seen []string
	w.Authenticator.options.Seen = func(a address.Address, try Attempt, good bool) {
		seen = append(seen, fmt.Sprint(a, " ", try.Protocol, " ", good))
	}
	for _, c := range []struct{ name, password string }{
		{"alice@example.org", "a"}, {"example0001", "wrong"}, {"nobody@example.org", "x"}, {"alice@example.org", w.device},
	} {
		if _, err := w.Login(t.Context(), Attempt{Name: c.name, Password: c.password, Protocol: "submission", Remote: remote}); err != nil && !fault.Is(err, fault.AuthFailed) {
			t.Fatal(errors.Join(errors.New(c.name), err))
		}
	}
	if got := strings.Join(seen, "; "); got != "Alice@example.org submission true; Alice@example.org submission false; Alice@example.org submission true" {
		t.Error(got)
	}
}
