package senderauth

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"facteur/server/address"
	"facteur/server/safefile"
)

// signingKey is one of our keys. It is not changed once made.
type signingKey struct {
	domain    address.Domain
	selector  string
	algorithm string // "rsa" or "ed25519"
	created   time.Time
	published time.Time
	retired   time.Time
	private   crypto.Signer
}

// rsaBits is what RFC 8301 3.2 asks for, and what fits into a TXT record everywhere.
const rsaBits = 2048

func newKey(d address.Domain, selector, algorithm string, now time.Time) (*signingKey, error) {
	k := &signingKey{domain: d, selector: selector, algorithm: algorithm, created: now.UTC().Truncate(time.Second)}
	var err error
	if algorithm == "rsa" {
		k.private, err = rsa.GenerateKey(rand.Reader, rsaBits)
	} else {
		_, k.private, err = ed25519.GenerateKey(rand.Reader)
	}
	return k, err
}

// sign signs data (RFC 6376 3.3, RFC 8463 3).
func (k *signingKey) sign(data []byte) ([]byte, error) {
	sum := sha256.Sum256(data)
	var opts crypto.SignerOpts = crypto.SHA256
	if k.algorithm == "ed25519" {
		opts = crypto.Hash(0) // the hash is the message
	}
	return k.private.Sign(rand.Reader, sum[:], opts)
}

// value returns the content of the key record (RFC 6376 3.6.1).
func (k *signingKey) value() (string, error) {
	var der []byte
	switch public := k.private.Public().(type) {
	case ed25519.PublicKey:
		der = public // RFC 8463 4.2
	default:
		var err error
		if der, err = x509.MarshalPKIXPublicKey(public); err != nil {
			return "", err
		}
	}
	return "v=DKIM1; k=" + k.algorithm + "; p=" + base64.StdEncoding.EncodeToString(der), nil
}

func (k *signingKey) record() (KeyRecord, error) {
	value, err := k.value()
	return KeyRecord{
		Name: recordName(k.selector, k.domain), Type: "TXT", Value: value, Selector: k.selector, Algorithm: k.algorithm,
		State: KeyNew, Created: k.created, Published: k.published, Retired: k.retired,
	}, err
}

// isPublished tells whether the DNS has this very key.
func (k *signingKey) isPublished(ctx context.Context, r Resolver) bool {
	found, err := lookupKey(ctx, r, recordName(k.selector, k.domain))
	if err != nil || found.kind != k.algorithm {
		return false
	}
	if found.rsa != nil {
		return found.rsa.Equal(k.private.Public())
	}
	return found.ed.Equal(k.private.Public())
}

func (k *Keys) path(key *signingKey) string {
	return filepath.Join(k.dir, string(key.domain)+"."+key.selector+".pem")
}

// save writes a key's file, for nobody else to read.
func (k *Keys) save(key *signingKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key.private)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "The DKIM key of %s with the selector %s. `facteur dns %s` shows its DNS record.\n", key.domain, key.selector, key.domain)
	for _, at := range []struct {
		name string
		time time.Time
	}{{"Created", key.created}, {"Published", key.published}, {"Retired", key.retired}} {
		if !at.time.IsZero() {
			fmt.Fprintf(&b, "%s: %s\n", at.name, at.time.UTC().Format(time.RFC3339))
		}
	}
	if err := pem.Encode(&b, &pem.Block{Type: "PRIVATE KEY", Bytes: der}); err != nil {
		return err
	}
	return safefile.WriteFile(k.fs, k.path(key), b.Bytes())
}

// readKeys reads the keys in a folder. Files of other names are left alone.
func readKeys(dir string) ([]*signingKey, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("the folder of the DKIM keys: %w", err)
	}
	var all []*signingKey
	for _, e := range entries {
		stem, isPEM := strings.CutSuffix(e.Name(), ".pem")
		domain, selector, ok := cutLast(stem, ".")
		_, algorithm, hasAlgorithm := cutLast(selector, "-")
		if !isPEM || !ok || !hasAlgorithm || algorithm != "rsa" && algorithm != "ed25519" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("reading a DKIM key: %w", err)
		}
		key := &signingKey{domain: address.Domain(domain), selector: selector, algorithm: algorithm}
		if err := key.parse(text); err != nil {
			return nil, fmt.Errorf("the DKIM key %s: %w", filepath.Join(dir, e.Name()), err)
		}
		all = append(all, key)
	}
	return all, nil
}

var errNoKey = errors.New("the file holds no private key of the kind that its name says")

func (k *signingKey) parse(text []byte) error {
	block, _ := pem.Decode(text)
	if block == nil {
		return errNoKey
	}
	any, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return errNoKey // err may tell of the key
	}
	switch private := any.(type) {
	case *rsa.PrivateKey:
		if k.private = private; k.algorithm != "rsa" {
			return errNoKey
		}
	case ed25519.PrivateKey:
		if k.private = private; k.algorithm != "ed25519" {
			return errNoKey
		}
	default:
		return errNoKey
	}
	story, _, _ := strings.Cut(string(text), "-----BEGIN")
	for line := range strings.Lines(story) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		at, err := time.Parse(time.RFC3339, value)
		if err != nil {
			continue
		}
		switch name {
		case "Created":
			k.created = at
		case "Published":
			k.published = at
		case "Retired":
			k.retired = at
		}
	}
	return nil
}
