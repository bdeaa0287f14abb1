package senderauth

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"slices"
	"strings"
	"sync"

	"facteur/server/address"
	"facteur/server/dns"
)

// The sizes of RSA keys that count. RFC 8301 3.2 has at least 1,024 and asks for 4,096 at
// most; a few are larger, and a giant one only costs time.
const (
	minRSA = 1024
	maxRSA = 8192
)

// publicKey is a key record (RFC 6376 3.6.1).
type publicKey struct {
	kind    string // "rsa" or "ed25519"
	rsa     *rsa.PublicKey
	ed      ed25519.PublicKey
	testing bool // t=y
	strict  bool // t=s: the domain of i= must be that of d=
}

// parseKey reads a key record.
func parseKey(record string) (*publicKey, error) {
	tags, err := parseTags(record)
	if err != nil {
		return nil, failed(PermError, "malformed key record")
	}
	if v, ok := tags.get("v"); ok && (v != "DKIM1" || tags[0].name != "v") {
		return nil, failed(PermError, "unknown version of key record")
	}
	k := &publicKey{kind: "rsa"}
	if kind, ok := tags.get("k"); ok {
		k.kind = strings.ToLower(kind)
	}
	if hashes, ok := tags.get("h"); ok && !slices.Contains(splitList(hashes), "sha256") {
		return nil, failed(PermError, "the key is for other hashes")
	}
	if services, ok := tags.get("s"); ok {
		if list := splitList(services); !slices.Contains(list, "*") && !slices.Contains(list, "email") {
			return nil, failed(PermError, "the key is not for mail")
		}
	}
	flags, _ := tags.get("t")
	k.testing = slices.Contains(splitList(flags), "y")
	k.strict = slices.Contains(splitList(flags), "s")
	p, ok := tags.get("p")
	switch {
	case !ok:
		return nil, failed(PermError, "the key record has no key")
	case p == "":
		return nil, failed(PermError, "the key is revoked")
	}
	der, err := base64.StdEncoding.DecodeString(compact(p))
	if err != nil {
		return nil, failed(PermError, "malformed key")
	}
	return k, k.decode(der)
}

func (k *publicKey) decode(der []byte) error {
	switch k.kind {
	case "ed25519": // RFC 8463 4.2
		if len(der) != ed25519.PublicKeySize {
			return failed(PermError, "malformed key")
		}
		k.ed = der
		return nil
	case "rsa":
		any, err := x509.ParsePKIXPublicKey(der)
		if err != nil {
			any, err = x509.ParsePKCS1PublicKey(der) // RFC 6376 erratum 3017: both are in use
		}
		key, ok := any.(*rsa.PublicKey)
		switch {
		case err != nil || !ok:
			return failed(PermError, "malformed key")
		case key.N.BitLen() < minRSA: // RFC 8301 3.2
			return failed(Policy, "the key is too short")
		case key.N.BitLen() > maxRSA:
			return failed(Policy, "the key is too long")
		}
		k.rsa = key
		return nil
	}
	return failed(PermError, "unknown kind of key")
}

// verify checks a signature over data.
func (k *publicKey) verify(s *signature, data []byte) error {
	if kind, _, _ := strings.Cut(s.algorithm, "-"); kind != k.kind {
		return failed(PermError, "the key is for another algorithm")
	}
	sum := sha256.Sum256(data)
	ok := false
	if k.rsa != nil {
		ok = rsa.VerifyPKCS1v15(k.rsa, crypto.SHA256, sum[:], s.value) == nil
	} else {
		ok = ed25519.Verify(k.ed, sum[:], s.value) // RFC 8463 3
	}
	if !ok {
		return failed(Fail, "the signature does not match")
	}
	return nil
}

// keyring has the public keys that a message needs. Each is asked for once.
type keyring map[string]*keyAnswer

type keyAnswer struct {
	key *publicKey
	err error
}

func keyName(s *signature) string { return recordName(s.selector, s.domain) }

// recordName is where a key stands (RFC 6376 3.6.2.1).
func recordName(selector string, d address.Domain) string {
	return strings.ToLower(selector) + "._domainkey." + string(d)
}

// want notes that the key of a signature is needed.
func (r keyring) want(s *signature) { r[keyName(s)] = new(keyAnswer) }

// fetch asks for all keys that are wanted, side by side.
func (r keyring) fetch(ctx context.Context, dns Resolver) {
	var all sync.WaitGroup
	for name, answer := range r {
		if answer.key == nil && answer.err == nil {
			all.Go(func() { answer.key, answer.err = lookupKey(ctx, dns, name) })
		}
	}
	all.Wait()
}

func (r keyring) get(s *signature) (*publicKey, error) {
	answer := r[keyName(s)]
	return answer.key, answer.err
}

// lookupKey asks for a key. Records at the name that are something else don't matter
// (a wildcard's, for example); two keys leave it open which one is meant (RFC 6376
// 3.6.2.2).
func lookupKey(ctx context.Context, r Resolver, name string) (*publicKey, error) {
	records, err := r.TXT(ctx, name)
	switch {
	case dns.Missing(err):
		return nil, failed(PermError, "there is no key "+name)
	case err != nil:
		return nil, failed(TempError, "no answer from the DNS for "+name)
	}
	records = slices.DeleteFunc(slices.Clone(records), func(record string) bool {
		tags, err := parseTags(record)
		_, hasKey := tags.get("p")
		return (err != nil || !hasKey) && !strings.HasPrefix(record, "v=DKIM1")
	})
	switch len(records) {
	case 0:
		return nil, failed(PermError, "there is no key "+name)
	case 1:
		return parseKey(records[0])
	}
	return nil, failed(PermError, "there are several keys "+name)
}
