package auth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"facteur/server/address"
	"facteur/server/directory"
	"facteur/server/fault"
	"facteur/server/password"
)

// world is an Authenticator over a directory that a test may change. Its hashes
// are "hash of PASSWORD", and it counts how often one is verified.
type world struct {
	*Authenticator
	options directory.Options
	newest  atomic.Pointer[directory.Directory]
	runs    atomic.Int64
	hashes  sync.Map // hash -> how often
	hold    chan struct{}
	log     bytes.Buffer
	device  string
}

var remote = netip.MustParseAddr("192.0.2.1")

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{}
	digits, line := password.NewDevice()
	w.device = digits
	w.options = directory.Options{
		Domains: []directory.Domain{{Key: "example.org", Name: "example.org", Aliases: []address.Domain{"example.com"}, Separator: "+"}},
		Accounts: []directory.Account{
			{Key: "Alice@example.org", Address: address.MustParse("Alice@example.org"), Login: "example0001", Password: "hash of a", Devices: []directory.Device{{Name: "phone", Line: directory.Secret(line)}}},
			{Key: "bob@example.org", Address: address.MustParse("bob@example.org"), Password: "hash of b"},
			{Key: "eve@example.org", Address: address.MustParse("eve@example.org"), Password: "hash of e", Disabled: true, Devices: []directory.Device{{Name: "phone", Line: directory.Secret(line)}}},
			{Key: "none@example.org", Address: address.MustParse("none@example.org")},
		},
	}
	w.reload(nil)
	w.Authenticator = New(Options{Directory: w.newest.Load, Verify: w.verifyCounted, Log: slog.New(slog.NewTextHandler(&w.log, nil))})
	return w
}

func (w *world) reload(change func(*directory.Options)) {
	w.options.Accounts = append([]directory.Account(nil), w.options.Accounts...)
	if change != nil {
		change(&w.options)
	}
	w.newest.Store(directory.New(w.options))
}

func (w *world) verifyCounted(ctx context.Context, hash, pw string) (bool, error) {
	w.runs.Add(1)
	w.hashes.Store(hash, true)
	if w.hold != nil {
		select {
		case <-w.hold:
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
	return hash == "hash of "+pw, nil
}

func (w *world) try(name, pw string) (Credential, error) {
	return w.Login(context.Background(), Attempt{Name: name, Password: pw, Remote: netip.MustParseAddr("127.0.0.1"), Protocol: "imap"})
}

func TestLogin(t *testing.T) {
	for _, c := range []struct {
		name, password, want string
	}{
		{"alice@example.org", "a", "Alice@example.org"},
		{"ALICE@example.com", "a", "Alice@example.org"},
		{"example0001", "a", "Alice@example.org"},
		{"bob@example.org", "b", "bob@example.org"},
		{"alice@example.org", "DEVICE", "Alice@example.org phone"},
		{"alice@example.org", "b", ""},
		{"alice@example.org", "", ""},
		{"bob@example.org", "DEVICE", ""},
		{"eve@example.org", "e", ""},
		{"eve@example.org", "DEVICE", ""},
		{"none@example.org", "", ""},
		{"none@example.org", "a", ""},
		{"nobody@example.org", "a", ""},
		{"alice", "a", ""},
		{"", "", ""},
	} {
		w := newWorld(t)
		pw := strings.ReplaceAll(c.password, "DEVICE", w.device)
		cred, err := w.try(c.name, pw)
		got := ""
		if err == nil {
			got = strings.TrimSpace(cred.Account.String() + " " + cred.Device)
			if !w.Valid(cred) {
				t.Errorf("%s: the credential is not valid", c.name)
			}
		} else if !fault.Is(err, fault.AuthFailed) || cred != (Credential{}) {
			t.Errorf("%s: %v, %v", c.name, cred, err)
		}
		if got != c.want {
			t.Errorf("%s, %s: %q, %v", c.name, c.password, got, err)
		}
	}
}

// TestSameCost counts verifications: a failure costs one, whoever it is for.
func TestSameCost(t *testing.T) {
	for _, c := range []struct{ name, password string }{
		{"alice@example.org", "wrong"}, {"example0001", "wrong"}, {"nobody@example.org", "wrong"}, {"nobody", "wrong"}, {"@", "wrong"},
		{"eve@example.org", "wrong"}, {"eve@example.org", "e"}, {"none@example.org", "wrong"}, {"alice@elsewhere.net", "wrong"},
	} {
		w := newWorld(t)
		for n := int64(1); n <= 3; n++ {
			if _, err := w.try(c.name, c.password); err == nil {
				t.Errorf("%s logged in", c.name)
			}
			if runs := w.runs.Load(); runs != n {
				t.Errorf("%s: %d verifications for %d failures", c.name, runs, n)
			}
		}
		hashes := 0
		w.hashes.Range(func(_, _ any) bool { hashes++; return true })
		if hashes != 1 {
			t.Errorf("%s: %d hashes for one name", c.name, hashes)
		}
	}
	// Names that are nobody's use the hashes of all accounts.
	w := newWorld(t)
	for i := range 100 {
		w.try(fmt.Sprintf("nobody%d@example.org", i), "wrong")
	}
	for _, hash := range []string{"hash of a", "hash of b", "hash of e", noHash} {
		if _, ok := w.hashes.Load(hash); !ok {
			t.Errorf("%s never stood in for nobody's", hash)
		}
	}
	if err := password.Check(noHash); err != nil {
		t.Error(err)
	}
}

func TestDecoyNeverOpens(t *testing.T) {
	w := newWorld(t)
	for i := range 200 {
		for _, pw := range []string{"a", "b", "e"} {
			if cred, err := w.try(fmt.Sprintf("nobody%d@example.org", i), pw); err == nil {
				t.Fatalf("nobody%d logged in as %v", i, cred)
			}
		}
	}
}

func TestPaysOnce(t *testing.T) {
	w := newWorld(t)
	first, err := w.try("alice@example.org", "a")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"alice@example.org", "ALICE@example.com", "example0001"} {
		again, err := w.try(name, "a")
		if err != nil || again != first {
			t.Errorf("%s: %v, %v", name, again, err)
		}
	}
	if runs := w.runs.Load(); runs != 1 {
		t.Errorf("%d verifications", runs)
	}
	if _, err := w.try("alice@example.org", "wrong"); err == nil || w.runs.Load() != 2 {
		t.Errorf("a wrong password after a good one: %v, %d verifications", err, w.runs.Load())
	}
	if _, err := w.try("alice@example.org", w.device); err != nil || w.runs.Load() != 2 {
		t.Errorf("an app password is verified slowly: %v, %d", err, w.runs.Load())
	}
	// A new hash is verified anew, and the old password is not remembered for it.
	w.reload(func(o *directory.Options) { o.Accounts[0].Password = "hash of new" })
	if _, err := w.try("alice@example.org", "a"); err == nil || w.runs.Load() != 3 {
		t.Errorf("the old password: %v, %d", err, w.runs.Load())
	}
	if _, err := w.try("alice@example.org", "new"); err != nil || w.runs.Load() != 4 {
		t.Errorf("the new password: %v, %d", err, w.runs.Load())
	}
}

func TestValid(t *testing.T) {
	login := func(t *testing.T, pw string) (*world, Credential) {
		w := newWorld(t)
		cred, err := w.try("alice@example.org", strings.ReplaceAll(pw, "DEVICE", w.device))
		if err != nil {
			t.Fatal(err)
		}
		return w, cred
	}
	_, otherLine := password.NewDevice()
	for _, c := range []struct {
		name, password string
		change         func(*directory.Options)
		want           bool
	}{
		{"nothing", "a", nil, true},
		{"nothing", "DEVICE", nil, true},
		{"another name", "a", func(o *directory.Options) { o.Accounts[0].Name, o.Accounts[0].Login = "Alice", "" }, true},
		{"account gone", "a", func(o *directory.Options) { o.Accounts = o.Accounts[1:] }, false},
		{"account gone", "DEVICE", func(o *directory.Options) { o.Accounts = o.Accounts[1:] }, false},
		{"disabled", "a", func(o *directory.Options) { o.Accounts[0].Disabled = true }, false},
		{"disabled", "DEVICE", func(o *directory.Options) { o.Accounts[0].Disabled = true }, false},
		{"hash changed", "a", func(o *directory.Options) { o.Accounts[0].Password = "hash of new" }, false},
		{"hash gone", "a", func(o *directory.Options) { o.Accounts[0].Password = "" }, false},
		{"hash changed", "DEVICE", func(o *directory.Options) { o.Accounts[0].Password = "hash of new" }, true},
		{"device gone", "DEVICE", func(o *directory.Options) { o.Accounts[0].Devices = nil }, false},
		{"device gone", "a", func(o *directory.Options) { o.Accounts[0].Devices = nil }, true},
		{"device made anew", "DEVICE", func(o *directory.Options) {
			o.Accounts[0].Devices = []directory.Device{{Name: "phone", Line: directory.Secret(otherLine)}}
		}, false},
		{"another's hash", "a", func(o *directory.Options) {
			o.Accounts[0].Password, o.Accounts[1].Password = o.Accounts[1].Password, o.Accounts[0].Password
		}, false},
	} {
		w, cred := login(t, c.password)
		w.reload(c.change)
		if got := w.Valid(cred); got != c.want {
			t.Errorf("%s, by %s: %v", c.name, c.password, got)
		}
	}
	w, cred := login(t, "a")
	other := New(w.Authenticator.options)
	if other.Valid(cred) || w.Valid(Credential{}) || w.Valid(Credential{Account: cred.Account}) {
		t.Error("a made-up credential is valid")
	}
}

// TestChangedMeanwhile takes the account away while its password is verified.
func TestChangedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.hold = make(chan struct{})
		result := make(chan error)
		go func() {
			_, err := w.try("alice@example.org", "a")
			result <- err
		}()
		synctest.Wait()
		w.reload(func(o *directory.Options) { o.Accounts = o.Accounts[1:] })
		close(w.hold)
		if err := <-result; !fault.Is(err, fault.AuthFailed) {
			t.Errorf("%v", err)
		}
	})
}

// TestTogether has one login asked for by many at once.
func TestTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.hold = make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		results := make(chan error)
		login := func(ctx context.Context) {
			_, err := w.Login(ctx, Attempt{Name: "alice@example.org", Password: "a"})
			results <- err
		}
		go login(ctx)
		synctest.Wait()
		for range 20 {
			go login(t.Context())
		}
		synctest.Wait()
		if runs := w.runs.Load(); runs != 1 {
			t.Errorf("%d verifications", runs)
		}
		cancel() // the first one gives up, another takes over
		if err := <-results; fault.As(err).Code != 454 || !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		synctest.Wait()
		close(w.hold)
		for range 20 {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
		if runs := w.runs.Load(); runs != 2 {
			t.Errorf("%d verifications", runs)
		}
	})
}

func TestMemoryIsBounded(t *testing.T) {
	m := newMemory(3)
	for i := range 10 {
		m.add(mark{byte(i)})
		m.add(mark{byte(i)})
	}
	if len(m.known) != 3 || !m.has(mark{9}) || !m.has(mark{7}) || m.has(mark{6}) {
		t.Errorf("%v", m.known)
	}
}

func TestBounds(t *testing.T) {
	w := newWorld(t)
	for _, try := range []Attempt{{Name: strings.Repeat("a", 1e6)}, {Name: "alice@example.org", Password: strings.Repeat("a", 1e6)}} {
		if _, err := w.Login(t.Context(), try); !fault.Is(err, fault.AuthFailed) {
			t.Errorf("%v", err)
		}
	}
}

func TestNoSecretInTheLog(t *testing.T) {
	w := newWorld(t)
	w.try("alice@example.org", "hunter2")
	w.try("hunter2", "alice@example.org")
	w.try("hunter2@elsewhere.net", "hunter2")
	w.try("nobody@example.org", "hunter2")
	w.try("alice@example.org", "a")
	log := w.log.String()
	if strings.Contains(log, "hunter2") || strings.Contains(log, "hash of") || strings.Contains(fmt.Sprint(Attempt{Name: "x", Password: "hunter2"}), "hunter2") {
		t.Error(log)
	}
	for _, want := range []string{"auth.accepted account=Alice@example.org", "auth.refused account=nobody@example.org", `why="wrong password"`, "imap from 127.0.0.1"} {
		if !strings.Contains(log, want) {
			t.Errorf("no %s in\n%s", want, log)
		}
	}
}

// TestRealHashes uses the default Verify.
func TestRealHashes(t *testing.T) {
	hash, err := password.Hash("demo")
	if err != nil {
		t.Fatal(err)
	}
	o := directory.Options{
		Domains:  []directory.Domain{{Name: "example.org"}},
		Accounts: []directory.Account{{Address: address.MustParse("alice@example.org"), Password: directory.Secret(hash)}},
	}
	d := directory.New(o)
	a := New(Options{Directory: func() *directory.Directory { return d }, Log: slog.New(slog.DiscardHandler)})
	if _, err := a.Login(t.Context(), Attempt{Name: "alice@example.org", Password: "demo"}); err != nil {
		t.Error(err)
	}
	if _, err := a.Login(t.Context(), Attempt{Name: "alice@example.org", Password: "Demo"}); !fault.Is(err, fault.AuthFailed) {
		t.Error(err)
	}
}

func BenchmarkValid(b *testing.B) {
	w := &world{}
	w.options = directory.Options{
		Domains:  []directory.Domain{{Name: "example.org"}},
		Accounts: []directory.Account{{Address: address.MustParse("alice@example.org"), Password: "hash of a"}},
	}
	w.reload(nil)
	a := New(Options{Directory: w.newest.Load, Verify: w.verifyCounted, Log: slog.New(slog.DiscardHandler)})
	cred, err := a.Login(b.Context(), Attempt{Name: "alice@example.org", Password: "a"})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if !a.Valid(cred) {
			b.Fatal("not valid")
		}
	}
}

// Slowness is measured on the clock of synctest, which moves only while all wait.
func TestThrottle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.Authenticator.options.Trusted = netip.MustParsePrefix("198.51.100.0/24").Contains
		try := func(name, pw, from string) (time.Duration, error) {
			start := time.Now()
			_, err := w.Login(t.Context(), Attempt{Name: name, Password: pw, Remote: netip.MustParseAddr(from)})
			return time.Since(start), err
		}
		var took []time.Duration
		for range 11 {
			d, err := try("alice@example.org", "wrong", "192.0.2.1")
			if !fault.Is(err, fault.AuthFailed) {
				t.Fatal(err)
			}
			took = append(took, d)
		}
		const ms, s = time.Millisecond, time.Second
		if got, want := fmt.Sprint(took), fmt.Sprint([]time.Duration{0, 0, 0, 0, 250 * ms, 500 * ms, s, 2 * s, 4 * s, 8 * s, 8 * s}); got != want {
			t.Errorf("delays %v, want %v", got, want)
		}
		for _, c := range []struct {
			name, password, from string
			slow                 bool
		}{
			{"alice@example.org", "wrong", "192.0.2.1", true},
			{"example0001", "wrong", "192.0.2.1", true}, // the same account
			{"bob@example.org", "wrong", "192.0.2.1", false},
			{"alice@example.org", "wrong", "192.0.2.2", false},
			{"alice@example.org", "wrong", "127.0.0.1", false},
			{"alice@example.org", "wrong", "198.51.100.7", false},
			{"alice@example.org", w.device, "192.0.2.1", false},
		} {
			if d, _ := try(c.name, c.password, c.from); d > 0 != c.slow {
				t.Errorf("%s from %s took %v", c.name, c.from, d)
			}
		}
		time.Sleep(time.Hour) // of synctest
		if d, err := try("alice@example.org", "a", "192.0.2.1"); d != 0 || err != nil {
			t.Errorf("an hour later: %v, %v", d, err)
		}
		time.Sleep(2 * time.Hour) // or else the client had just logged in
		// Remembered: at once, whatever others do.
		for range 30 {
			try("alice@example.org", "wrong", "192.0.2.1")
		}
		if _, err := try("alice@example.org", "wrong", "192.0.2.1"); !fault.Is(err, fault.TryLater) || fault.As(err).Code != 454 {
			t.Errorf("after 30 failures: %v", err)
		}
		if d, err := try("alice@example.org", "a", "192.0.2.1"); d != 0 || err != nil {
			t.Errorf("remembered: %v, %v", d, err)
		}
	})
}

// TestThrottleAccount has one account tried from everywhere.
func TestThrottleAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for i := range 500 {
			from := netip.AddrFrom4([4]byte{203, 0, byte(i >> 8), byte(i)})
			if _, err := w.Login(t.Context(), Attempt{Name: "alice@example.org", Password: "wrong", Remote: from}); !fault.Is(err, fault.AuthFailed) {
				t.Fatal(err)
			}
		}
		start := time.Now()
		_, err := w.Login(t.Context(), Attempt{Name: "alice@example.org", Password: "a", Remote: remote})
		if took := time.Since(start); err != nil || took != accountTier.most {
			t.Errorf("alice herself: %v after %v", err, took)
		}
	})
}

// TestThrottleClient has one client try everybody; its IPv6 addresses are one.
func TestThrottleClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		blocked := false
		for i := range 1000 {
			from := netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 15: byte(i)})
			_, err := w.Login(t.Context(), Attempt{Name: fmt.Sprintf("nobody%d@example.org", i), Password: "wrong", Remote: from})
			blocked = blocked || fault.Is(err, fault.TryLater)
		}
		if !blocked {
			t.Error("never blocked")
		}
		if _, err := w.Login(t.Context(), Attempt{Name: "bob@example.org", Password: "b", Remote: remote}); err != nil {
			t.Errorf("bob from elsewhere: %v", err)
		}
	})
}

func TestThrottleIsBounded(t *testing.T) {
	th := newThrottle(time.Now)
	for i := range maxSubjects * 2 {
		th.failed(pair{subject: subject{name: fmt.Sprint(i)}})
	}
	if n := len(th.failures); n > maxSubjects+3 {
		t.Errorf("%d subjects", n)
	}
}
