package certs

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"facteur/server/safefile"
)

var testTime = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func at(t time.Time) func() time.Time { return func() time.Time { return t } }

// pair writes a certificate for the names, good for a year from testTime, and
// its key.
func pair(t *testing.T, names ...string) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: names,
		NotBefore: testTime, NotAfter: testTime.AddDate(1, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	write(t, certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	write(t, keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
	return certFile, keyFile
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func load(t *testing.T, o Options) *Bundle {
	t.Helper()
	b, err := Load(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestChoose(t *testing.T) {
	var o Options
	o.Hostname = "mail.example.org"
	o.Cert, o.Key = pair(t, "mail.example.org", "*.example.org")
	second, secondKey := pair(t, "Mail.Example.Com", "example.com")
	third, thirdKey := pair(t, "*.example.net", "mail.example.org")
	o.Domains = []Domain{{"example.com", second, secondKey}, {"sub.example.net", third, thirdKey}}
	b := load(t, o)
	if b.SelfSigned() {
		t.Error("it is not self-signed")
	}
	for name, want := range map[string]string{
		"":                   "*.example.org",
		"mail.example.org":   "*.example.net", // that of the domain, which names it too
		"MAIL.EXAMPLE.ORG.":  "*.example.net",
		"imap.example.org":   "*.example.org",
		"a.imap.example.org": "*.example.org",
		"mail.example.com":   "example.com",
		"example.com":        "example.com",
		"pop.example.com":    "*.example.org",
		"x.example.net":      "*.example.net",
		"sub.example.net":    "*.example.net",
		"unknown.example":    "*.example.org",
	} {
		if got := b.choose(name).Leaf.DNSNames; got[0] != want && got[1] != want {
			t.Errorf("%q: %v, want %s", name, got, want)
		}
	}
}

func TestSelfSigned(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data", "tls")
	o := Options{Dir: dir, Hostname: "mail.example.org", Now: at(testTime)}
	first := load(t, o)
	leaf := first.own.Leaf
	if !first.SelfSigned() || leaf.VerifyHostname("mail.example.org") != nil || leaf.IsCA {
		t.Errorf("self-signed %v, names %v, CA %v", first.SelfSigned(), leaf.DNSNames, leaf.IsCA)
	}
	if info, err := os.Stat(filepath.Join(dir, keyName)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key: %v, %v", info, err)
	}
	key := read(t, filepath.Join(dir, keyName))
	for _, c := range []struct {
		name     string
		after    time.Duration
		hostname string
		same     bool
	}{
		{"next start", time.Hour, "mail.example.org", true},
		{"long before the end", validity - renewal - time.Hour, "mail.example.org", true},
		{"near the end", validity - renewal + time.Hour, "mail.example.org", false},
		{"long after the end", 10 * validity, "mail.example.org", false},
		{"another host", 10 * validity, "mx.example.org", false},
	} {
		before := read(t, filepath.Join(dir, certName))
		now := testTime.Add(c.after)
		b := load(t, Options{Dir: dir, Hostname: c.hostname, Now: at(now)})
		if same := bytes.Equal(before, read(t, filepath.Join(dir, certName))); same != c.same {
			t.Errorf("%s: the same certificate: %v", c.name, same)
		}
		if b.own.Leaf.VerifyHostname(c.hostname) != nil || !now.Before(b.own.Leaf.NotAfter) {
			t.Errorf("%s: %v until %v", c.name, b.own.Leaf.DNSNames, b.own.Leaf.NotAfter)
		}
		if !bytes.Equal(key, read(t, filepath.Join(dir, keyName))) {
			t.Errorf("%s: another key", c.name)
		}
	}
}

func TestSelfSignedDamaged(t *testing.T) {
	dir := t.TempDir()
	o := Options{Dir: dir, Hostname: "mail.example.org"}
	load(t, o)
	other, otherKey := pair(t, "mail.example.org")
	for name, damage := range map[string]func(){
		"no key":         func() { os.Remove(filepath.Join(dir, keyName)) },
		"no certificate": func() { os.Remove(filepath.Join(dir, certName)) },
		"junk key":       func() { write(t, filepath.Join(dir, keyName), []byte("junk")) },
		"junk":           func() { write(t, filepath.Join(dir, certName), []byte("junk")) },
		"another's":      func() { write(t, filepath.Join(dir, certName), read(t, other)) },
		"another's key":  func() { write(t, filepath.Join(dir, keyName), read(t, otherKey)) },
		"key is no key": func() {
			write(t, filepath.Join(dir, keyName), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")}))
		},
		"nothing at all":  func() { os.RemoveAll(dir) },
		"nothing is done": func() {},
	} {
		damage()
		if b := load(t, o); b.own.Leaf.VerifyHostname(o.Hostname) != nil {
			t.Errorf("%s: %v", name, b.own.Leaf.DNSNames)
		}
	}
}

func TestSelfSignedWriteFails(t *testing.T) {
	broken := errors.New("broken")
	for n := 1; ; n++ {
		left := n
		faulty := &safefile.Faulty{FS: safefile.OS, Fail: func(safefile.Op) error {
			if left--; left == 0 {
				return broken
			}
			return nil
		}}
		dir := filepath.Join(t.TempDir(), "tls")
		_, err := Load(Options{Dir: dir, Hostname: "mail.example.org", FS: faulty})
		if left > 0 {
			if err != nil || n < 10 {
				t.Errorf("%d operations, %v", n-1, err)
			}
			return
		}
		if !errors.Is(err, broken) {
			t.Errorf("operation %d failed, and Load said %v", n, err)
		}
		load(t, Options{Dir: dir, Hostname: "mail.example.org"})
	}
}

func TestBadFiles(t *testing.T) {
	cert, key := pair(t, "mail.example.org")
	_, otherKey := pair(t, "mail.example.org")
	junk := filepath.Join(t.TempDir(), "junk.pem")
	write(t, junk, []byte("junk"))
	large := filepath.Join(t.TempDir(), "large.pem")
	write(t, large, bytes.Repeat([]byte("x"), maxFile+1))
	_, err := Load(Options{Cert: cert, Key: otherKey, Hostname: "mail.example.org", Domains: []Domain{
		{"a.example", "/nonexistent/cert.pem", key},
		{"b.example", cert, "/nonexistent/key.pem"},
		{"c.example", junk, key},
		{"d.example", large, key},
		{"e.example", cert, key},
	}})
	want := fmt.Sprintf(`the certificate of a.example: there is no file /nonexistent/cert.pem
the certificate of b.example: there is no file /nonexistent/key.pem
the certificate of c.example: %s with the key %s: failed to find any PEM data in certificate input
the certificate of d.example: %s is larger than 1 MiB
the certificate of the server: %s with the key %s: private key does not match public key`, junk, key, large, cert, otherKey)
	if err == nil || err.Error() != want {
		t.Errorf("\n%v, want\n%s", err, want)
	}
}

func TestWarnings(t *testing.T) {
	var o Options
	o.Cert, o.Key = pair(t, "mail.example.org")
	o.Hostname = "mx.example.org"
	b := load(t, o)
	for when, want := range map[time.Time][]string{
		testTime.AddDate(0, 1, 0):  {"does not name mx.example.org"},
		testTime.AddDate(0, -1, 0): {"begins on 2026-06-01", "does not name"},
		testTime.AddDate(1, 0, -7): {"ends on 2027-06-01", "does not name"},
		testTime.AddDate(1, 0, 1):  {"ended on 2027-06-01", "does not name"},
	} {
		got := b.Warnings(when)
		if len(got) != len(want) {
			t.Errorf("%v: %q", when, got)
			continue
		}
		for i := range want {
			if !strings.Contains(got[i], o.Cert) || !strings.Contains(got[i], want[i]) {
				t.Errorf("%v: %q, want %q", when, got[i], want[i])
			}
		}
	}
	if w := load(t, Options{Dir: t.TempDir(), Hostname: "mail.example.org"}).Warnings(time.Now()); w != nil {
		t.Errorf("self-signed: %q", w)
	}
}

func TestLive(t *testing.T) {
	var live Live
	server := live.Config()
	if _, err := shake(t, server, "mail.example.org", tls.VersionTLS13); err == nil {
		t.Error("a handshake without a certificate")
	}
	first := load(t, Options{Dir: t.TempDir(), Hostname: "first.example"})
	live.Use(first)
	cert, err := shake(t, server, "first.example", tls.VersionTLS12)
	if err != nil || !cert.Equal(first.own.Leaf) {
		t.Errorf("%v, %v", cert, err)
	}
	second := load(t, Options{Dir: t.TempDir(), Hostname: "second.example"})
	live.Use(second)
	if cert, err = shake(t, server, "first.example", tls.VersionTLS13); err != nil || !cert.Equal(second.own.Leaf) {
		t.Errorf("%v, %v", cert, err)
	}
	if _, err := shake(t, server, "second.example", tls.VersionTLS11); err == nil {
		t.Error("TLS 1.1 is taken")
	}
}

// shake makes a handshake and returns the certificate that the server showed.
func shake(t *testing.T, server *tls.Config, name string, version uint16) (*x509.Certificate, error) {
	t.Helper()
	a, b := net.Pipe()
	done := make(chan error, 1)
	go func() {
		err := tls.Server(a, server).Handshake()
		a.Close()
		done <- err
	}()
	client := tls.Client(b, &tls.Config{ServerName: name, InsecureSkipVerify: true, MinVersion: version, MaxVersion: version})
	err := client.Handshake()
	b.Close()
	if serr := <-done; err == nil && serr != nil && !errors.Is(serr, net.ErrClosed) {
		err = serr
	}
	if err != nil {
		return nil, err
	}
	return client.ConnectionState().PeerCertificates[0], nil
}
