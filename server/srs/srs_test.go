package srs

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/safefile"
)

// memory is a Store of a test.
type memory struct {
	kept map[string]address.Address
	err  error
}

func (m *memory) Keep(_ context.Context, id string, sender address.Address, _ time.Time) error {
	if m.err == nil {
		m.kept[id] = sender
	}
	return m.err
}

func (m *memory) Find(_ context.Context, id string) (address.Address, bool, error) {
	a, ok := m.kept[id]
	return a, ok, m.err
}

// clock is the time of a test.
type clock struct{ time.Time }

func (c *clock) now() time.Time { return c.Time }

func newClock() *clock { return &clock{time.Date(2026, 11, 22, 23, 59, 0, 0, time.UTC)} }

func newRewriter(t testing.TB, c *clock) (*Rewriter, *memory) {
	m := &memory{kept: make(map[string]address.Address)}
	return New(Options{Dir: filepath.Join(t.TempDir(), "keys"), Store: m, Now: c.now}), m
}

func parse(t testing.TB, s string) address.Address {
	t.Helper()
	a, err := address.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

const here = address.Domain("example.org")

var ctx = context.Background()

func TestRoundTrip(t *testing.T) {
	long := strings.Repeat("l", 50)
	for _, c := range []struct{ name, sender, begins, back string }{
		{"a sender", "bob@example.net", "SRS0=", "bob@example.net"},
		{"with signs of ours", "bob+tag=x-y@example.net", "SRS0=", "bob+tag=x-y@example.net"},
		{"quoted", `"b ob"@example.net`, `"SRS0=`, `"b ob"@example.net`},
		{"with UTF-8", "jörg@bücher.example", "SRS0=", "jörg@xn--bcher-kva.example"},
		{"an address literal", "bob@[192.0.2.1]", `"SRS0=`, "bob@[192.0.2.1]"},
		{"too long", long + "@example.net", "SRS0=", long + "@example.net"},
		{"SRS0 of another", "SRS0=abcd=EF=example.com=carol@example.net", "SRS1=", "SRS0=abcd=EF=example.com=carol@example.net"},
		{"SRS0 of another, with a plus", "srs0+abcd=EF=example.com=carol@example.net", "SRS1=", "SRS0+abcd=EF=example.com=carol@example.net"},
		{"SRS1 of another", "SRS1=wxyz=example.com==abcd=EF=x.example=carol@example.net", "SRS1=", "SRS0=abcd=EF=x.example=carol@example.com"},
		{"SRS1 of another, too long", "SRS1=wxyz=example.com==abcd=EF=x.example=carolcarolcarolcarolc@example.net", "SRS0=", "SRS1=wxyz=example.com==abcd=EF=x.example=carolcarolcarolcarolc@example.net"},
		{"SRS1 that is none", "SRS1=wxyz@example.net", "SRS0=", "SRS1=wxyz@example.net"},
		{"a name that looks like it", "SRS0abc@example.net", "SRS0=", "SRS0abc@example.net"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, _ := newRewriter(t, newClock())
			a, err := r.Forward(ctx, parse(t, c.sender), here)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(a.String(), c.begins) || a.Domain != here || !a.IsSRS() || len(a.Local) > maxLocal {
				t.Errorf("rewritten to %s", a)
			}
			parse(t, a.String())
			for _, form := range []string{a.Local, strings.ToLower(a.Local), strings.ToUpper(a.Local)} {
				back, err := r.Reverse(ctx, address.Address{Local: form, Domain: "another.example"})
				if err != nil || back.Key() != parse(t, c.back).Key() {
					t.Errorf("%s comes back as %s, %v", form, back, err)
				}
			}
		})
	}
}

func TestNullStaysNull(t *testing.T) {
	r, _ := newRewriter(t, newClock())
	if a, err := r.Forward(ctx, address.Address{}, here); err != nil || !a.IsZero() {
		t.Errorf("%v, %v", a, err)
	}
}

// TestExpiry: 21 days, over the end of the cycle of 1024 too, and for SRS1.
func TestExpiry(t *testing.T) {
	for _, sender := range []string{"bob@example.net", "SRS0=abcd=EF=example.com=carol@example.net", strings.Repeat("l", 60) + "@example.net"} {
		for _, begin := range []int{5, 1000, 1023, 20000, 20479} {
			c := &clock{time.Unix(int64(begin)*86400+3600, 0)}
			r, _ := newRewriter(t, c)
			a, err := r.Forward(ctx, parse(t, sender), here)
			if err != nil {
				t.Fatal(err)
			}
			made := c.Time
			for _, age := range []int{-1, 0, 1, 20, 21} {
				c.Time = made.AddDate(0, 0, age)
				if _, err := r.Reverse(ctx, a); err != nil {
					t.Errorf("%s of day %d after %d days: %v", sender, begin, age, err)
				}
			}
			for _, age := range []int{-2, 22, 23, 500, 1000} {
				c.Time = made.AddDate(0, 0, age)
				if _, err := r.Reverse(ctx, a); !errors.Is(err, ErrExpired) && !errors.Is(err, ErrForged) {
					t.Errorf("%s of day %d after %d days: %v", sender, begin, age, err)
				}
			}
		}
	}
}

func TestForged(t *testing.T) {
	c := newClock()
	r, _ := newRewriter(t, c)
	other, _ := newRewriter(t, c)
	made, err := r.Forward(ctx, parse(t, "bob@example.net"), here)
	if err != nil {
		t.Fatal(err)
	}
	made1, err := r.Forward(ctx, parse(t, "SRS0=abcd=EF=example.com=carol@example.net"), here)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Reverse(ctx, made); !errors.Is(err, ErrForged) {
		t.Errorf("without a key: %v", err)
	}
	if _, err := other.Forward(ctx, parse(t, "x@example.net"), here); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Reverse(ctx, made); !errors.Is(err, ErrForged) {
		t.Errorf("with another key: %v", err)
	}
	for i := range made.Local { // each character counts
		for _, m := range []address.Address{made, made1} {
			b := []byte(m.Local)
			if b[i] = 'z'; strings.EqualFold(string(b), m.Local) {
				b[i] = 'y'
			}
			if back, err := r.Reverse(ctx, address.Address{Local: string(b), Domain: here}); err == nil {
				t.Errorf("%s is taken for %s", b, back)
			}
		}
	}
	for _, local := range []string{
		"SRS0=", "SRS0==", "SRS0===", "SRS0====", "SRS0=AAAAAAAA=AA=example.net=bob", "SRS1=AAAAAAAA=example.net==x", "SRS1=", "SRS1====", "bob",
		"SRS0=" + strings.Repeat("=", 50), strings.Replace(made.Local, "SRS0", "SRS1", 1), strings.Replace(made1.Local, "SRS1", "SRS0", 1),
		made.Local + "x", made.Local[:len(made.Local)-1], strings.Replace(made.Local, "example.net", "example.com", 1),
	} {
		if back, err := r.Reverse(ctx, address.Address{Local: local, Domain: here}); !errors.Is(err, ErrForged) {
			t.Errorf("%s: %s, %v", local, back, err)
		}
	}
}

// TestStoreFails: an error of the disk is no forgery, and an address that was not kept
// is never used.
func TestStoreFails(t *testing.T) {
	r, m := newRewriter(t, newClock())
	long := parse(t, strings.Repeat("l", 60)+"@example.net")
	a, err := r.Forward(ctx, long, here)
	if err != nil {
		t.Fatal(err)
	}
	m.err = errors.New("broken")
	if _, err := r.Forward(ctx, long, here); !errors.Is(err, m.err) {
		t.Errorf("Forward: %v", err)
	}
	if _, err := r.Reverse(ctx, a); !errors.Is(err, m.err) {
		t.Errorf("Reverse: %v", err)
	}
	m.err = nil
	clear(m.kept)
	if _, err := r.Reverse(ctx, a); !errors.Is(err, ErrExpired) {
		t.Errorf("Reverse of what is gone: %v", err)
	}
	r.opts.Store = nil
	if _, err := r.Forward(ctx, long, here); err == nil {
		t.Error("without a store it is rewritten")
	}
}

// TestKey: it outlives the process, is for its owner alone, and a damaged one is told
// of and not replaced.
func TestKey(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	o := Options{Dir: dir, FS: safefile.Unsynced{FS: safefile.OS}, Now: newClock().now}
	a, err := New(o).Forward(ctx, parse(t, "bob@example.net"), here)
	if err != nil {
		t.Fatal(err)
	}
	if back, err := New(o).Reverse(ctx, a); err != nil || back.String() != "bob@example.net" {
		t.Errorf("after a restart: %s, %v", back, err)
	}
	path := filepath.Join(dir, keyFile)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if err := os.WriteFile(path, []byte("0123"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(o).Forward(ctx, parse(t, "bob@example.net"), here); err == nil {
		t.Error("a damaged key is used")
	}
	if _, err := New(o).Reverse(ctx, a); err == nil || errors.Is(err, ErrForged) {
		t.Errorf("a damaged key: %v", err)
	}
}

// TestKeyFails lets each step of making the key fail: nothing is rewritten with a key
// that could be gone after a crash.
func TestKeyFails(t *testing.T) {
	broken := errors.New("broken")
	for n := 0; ; n++ {
		at := 0
		faulty := &safefile.Faulty{FS: safefile.Unsynced{FS: safefile.OS}, Fail: func(safefile.Op) error {
			if at++; at == n+1 {
				return broken
			}
			return nil
		}}
		r := New(Options{Dir: filepath.Join(t.TempDir(), "keys"), FS: faulty, Now: newClock().now})
		a, err := r.Forward(ctx, parse(t, "bob@example.net"), here)
		if at <= n {
			if err != nil {
				t.Fatal(err)
			}
			return
		}
		if !errors.Is(err, broken) || !a.IsZero() {
			t.Errorf("step %d: %s, %v", n, a, err)
		}
		if _, err := r.Forward(ctx, parse(t, "bob@example.net"), here); err != nil {
			t.Errorf("step %d, again: %v", n, err)
		}
	}
}

// FuzzReverse: nothing that was not made here is taken, and what was made comes back.
func FuzzReverse(f *testing.F) {
	for _, s := range []string{
		"bob", "SRS0=AAAAAAAA=AA=example.net=bob", "SRS1=AAAAAAAA=example.net==x=y", "SRS1=A=example.net=+x", "SRS0===", "srs0+a=b=c=d", "SRS0=a=bc=ABCDEFGHIJKLMNOP",
	} {
		f.Add(s, "example.net")
	}
	r, _ := newRewriter(f, newClock())
	f.Fuzz(func(t *testing.T, local, domain string) {
		if back, err := r.Reverse(ctx, address.Address{Local: local, Domain: here}); err == nil {
			t.Fatalf("%q is taken for %s", local, back)
		}
		sender, err := address.Parse(address.Address{Local: local, Domain: address.Domain(domain)}.String())
		if err != nil {
			t.Skip()
		}
		a, err := r.Forward(ctx, sender, here)
		if err != nil || len(a.Local) > maxLocal {
			t.Fatalf("%s: %s, %v", sender, a, err)
		}
		again, err := address.Parse(a.String())
		if err != nil {
			t.Fatalf("%s is no address: %v", a, err)
		}
		back, err := r.Reverse(ctx, again)
		if err != nil {
			t.Fatalf("%s: %v", again, err)
		}
		if back.Key() == sender.Key() {
			return
		}
		if first, rest, ok := splitSRS1(sender.Local); !sender.IsSRS() || !ok || back.Domain != first || back.Local != "SRS0"+rest {
			if back.Domain != sender.Domain || back.Local[4:] != sender.Local[4:] {
				t.Fatalf("%s comes back as %s", sender, back)
			}
		}
	})
}
