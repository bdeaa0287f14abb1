package senderauth

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"facteur/server/envelope"
	"facteur/server/safefile"
)

// story is the keys of example.org as "SELECTOR STATE", newest first.
func story(t *testing.T, k *Keys) string {
	t.Helper()
	records, err := k.Records("example.org")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, r := range records {
		all = append(all, r.Selector+" "+string(r.State))
	}
	return strings.Join(all, ", ")
}

// TestRotation follows keys from their making to their end.
func TestRotation(t *testing.T) {
	dir := t.TempDir()
	now := today
	f := newFakeDNS()
	f.txt["20261122-rsa._domainkey.other.example"] = []string{"v=DKIM1; p="}
	var k *Keys
	open := func() {
		t.Helper()
		var err error
		if k, err = OpenKeys(filepath.Join(dir, "keys"), safefile.OS, func() time.Time { return now }); err != nil {
			t.Fatal(err)
		}
	}
	publish := func(selectors ...string) {
		t.Helper()
		records, err := k.Records("example.org")
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			for _, s := range selectors {
				if r.Selector == s {
					f.txt[r.Name] = []string{r.Value}
				}
			}
		}
	}
	expect := func(step, want string) {
		t.Helper()
		for range 2 { // and the same from disk
			if got := story(t, k); got != want {
				t.Errorf("%s: %s", step, got)
			}
			open()
		}
	}
	refresh := func() {
		t.Helper()
		if err := k.Refresh(t.Context(), f); err != nil {
			t.Error(err)
		}
	}
	open()
	expect("first use", "20261122-rsa active, 20261122-ed25519 active")
	rotate := func() {
		t.Helper()
		if _, err := k.Rotate("example.org"); err != nil {
			t.Error(err)
		}
	}
	rotate()
	expect("the DNS never had any", "20261122-rsa active, 20261122-ed25519 active")
	publish("20261122-rsa")
	refresh()
	now = now.AddDate(0, 0, 30)
	rotate()
	expect("one was published", "20261222-rsa new, 20261122-rsa active, 20261122-ed25519 active")
	publish("20261122-ed25519")
	refresh()
	rotate()
	rotate()
	expect("both were", "20261222-rsa new, 20261222-ed25519 new, 20261122-rsa active, 20261122-ed25519 active")
	f.txt["20261222-rsa._domainkey.example.org"] = f.txt["20261122-rsa._domainkey.example.org"]
	refresh()
	expect("another key under the new name", "20261222-rsa new, 20261222-ed25519 new, 20261122-rsa active, 20261122-ed25519 active")
	publish("20261222-rsa")
	refresh()
	expect("published", "20261222-rsa active, 20261222-ed25519 new, 20261122-rsa retired, 20261122-ed25519 active")
	now = now.Add(KeepRetired - time.Second)
	refresh()
	expect("overlap", "20261222-rsa active, 20261222-ed25519 new, 20261122-rsa retired, 20261122-ed25519 active")
	now = now.Add(time.Second)
	refresh()
	expect("over", "20261222-rsa active, 20261222-ed25519 new, 20261122-ed25519 active")
	if _, err := os.Stat(filepath.Join(dir, "keys", "example.org.20261122-rsa.pem")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// TestKeyFiles: for nobody else to read, and each says what it is.
func TestKeyFiles(t *testing.T) {
	w := newWorld(t)
	if _, err := w.keys.Records("example.org"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"example.org.20261122-rsa.pem", "example.org.20261122-ed25519.pem"} {
		path := filepath.Join(w.keys.dir, name)
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Error(err, info)
		}
		text, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(text), "\nCreated: 2026-11-22T12:00:00Z\n-----BEGIN PRIVATE KEY-----") {
			t.Errorf("%v: %.200q", err, text)
		}
	}
	for _, c := range []struct{ name, text, want string }{
		{"srs.key", "x", ""},
		{"example.org.notes.pem", "x", ""},
		{"example.org.a-rsa.pem", "-----BEGIN", "no private key"},
		{"example.org.a-rsa.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "no private key"},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, c.name), []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := OpenKeys(dir, safefile.OS, nil)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestDiskFails: no key is in use that would not be there after a crash.
func TestDiskFails(t *testing.T) {
	dir := t.TempDir()
	k, err := OpenKeys(dir, noRename{safefile.OS}, clock)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Sign("example.org", parse(t, letter), envelope.Bytes(letter)); err == nil || len(k.list("example.org")) != 0 {
		t.Error("signed with a key that is not kept:", err)
	}
}

// noRename is a disk that is full at the last step.
type noRename struct{ safefile.FS }

func (noRename) Rename(string, string) error { return errors.New("no space left") }

// TestTogether makes the first keys from many sides at once.
func TestTogether(t *testing.T) {
	w := newWorld(t)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := w.keys.Sign("example.org", parse(t, letter), envelope.Bytes(letter)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := len(w.keys.list("example.org")); n != 2 {
		t.Errorf("%d keys", n)
	}
}

// TestNothingToSign: what can't be signed is told.
func TestNothingToSign(t *testing.T) {
	w := newWorld(t)
	const m = "Subject: x\r\n\r\n"
	if _, err := w.keys.Sign("example.org", parse(t, m), envelope.Bytes(m)); err == nil {
		t.Error("signed without From")
	}
	if _, err := w.keys.Seal("example.org", "mail.example.org", Results{}, parse(t, m), envelope.Bytes(m)); err == nil {
		t.Error("sealed without From")
	}
}

// long is a message with a body of that many octets.
func long(octets int) string {
	head := letter[:strings.Index(letter, "\r\n\r\n")+4]
	line := "The quick brown fox jumps over the lazy dog,  and back again.  \r\n"
	return head + strings.Repeat(line, octets/len(line))
}

func benchmark(b *testing.B, message string, run func(w *world, m string)) {
	w := newWorld(b)
	w.publish("example.org")
	b.SetBytes(int64(len(message)))
	b.ReportAllocs()
	for b.Loop() {
		run(w, message)
	}
}

func BenchmarkSign(b *testing.B) {
	for _, size := range []int{5 << 10, 50 << 10, 5 << 20} {
		m := long(size)
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			benchmark(b, m, func(w *world, m string) {
				if _, err := w.keys.Sign("example.org", parse(b, m), envelope.Bytes(m)); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	m := long(50 << 10)
	w := newWorld(b)
	signed := w.sign("example.org", m)
	b.SetBytes(int64(len(signed)))
	b.ReportAllocs()
	for b.Loop() {
		if r := w.verify(signed); dkimResults(r) != "pass, pass" {
			b.Fatal(dkimResults(r))
		}
		w.dns.asked = nil
	}
}
