// Package password hashes and verifies the passwords of accounts, and makes
// app passwords.
//
// New hashes are Argon2id (RFC 9106). Hashes of other servers are verified too:
// Argon2, bcrypt, sha-crypt, yescrypt, scrypt, PBKDF2 and md5-crypt, as crypt(5)
// writes them, with or without the scheme prefix of Dovecot and OpenLDAP
// ("{SHA512-CRYPT}"). A hash that would take more than 128 MiB, or seconds of
// CPU, is refused by Check and by Verify.
//
// App passwords (device.go) are generated with 130 random bits, so a fast hash
// keeps them.
//
// Passwords are compared as RFC 8265 4.2.2 prepares them, in NFC. No error of
// this package holds a password or a hash.
package password

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/go-crypt/crypt/algorithm/argon2"
	"golang.org/x/text/unicode/norm"
)

// The cost of new hashes: OWASP's second choice for Argon2id, some 20 ms here.
const (
	hashMemory     = 19 * 1024 // KiB
	hashIterations = 2
	hashLanes      = 1
)

// MaxLength is the greatest length of a password, in octets.
const MaxLength = 1024

// ErrBusy says that too many passwords wait to be verified.
var ErrBusy = errors.New("too many logins at once")

// Hash returns a new Argon2id hash of password, as mail.toml keeps it.
func Hash(password string) (string, error) {
	switch {
	case password == "":
		return "", errors.New("the password is empty")
	case len(password) > MaxLength:
		return "", fmt.Errorf("the password is longer than %d octets", MaxLength)
	}
	hasher, err := argon2.New(argon2.WithVariantID(), argon2.WithMemoryInKiB(hashMemory),
		argon2.WithIterations(hashIterations), argon2.WithParallelism(hashLanes))
	if err != nil {
		return "", err
	}
	digest, err := hasher.Hash(prepare(password))
	if err != nil {
		return "", errors.New("the password can't be hashed")
	}
	return digest.Encode(), nil
}

// Verifier verifies passwords, at most two at once, since each may take 128 MiB.
type Verifier struct {
	slots   chan struct{}
	waiting atomic.Int64
}

const (
	maxRunning = 2
	maxWaiting = 1000
)

// NewVerifier returns a Verifier. A process needs one.
func NewVerifier() *Verifier {
	return &Verifier{slots: make(chan struct{}, maxRunning)}
}

// Verify tells whether hash is one of password. It waits for its turn until ctx
// ends; ErrBusy says that too many wait already.
func (v *Verifier) Verify(ctx context.Context, hash, password string) (bool, error) {
	digest, err := decode(hash)
	if err != nil {
		return false, err
	}
	if password == "" || len(password) > MaxLength {
		return false, nil
	}
	if err := v.enter(ctx); err != nil {
		return false, err
	}
	defer func() { <-v.slots }()
	ok, err := digest.MatchAdvanced(prepare(password))
	if err != nil {
		return false, errors.New("the hash can't be verified")
	}
	return ok, nil
}

func (v *Verifier) enter(ctx context.Context) error {
	if v.waiting.Add(1) > maxWaiting {
		v.waiting.Add(-1)
		return ErrBusy
	}
	defer v.waiting.Add(-1)
	select {
	case v.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// prepare is the OpaqueString profile of RFC 8265 4.2.2, less the refusal of
// control characters: an imported hash may be of anything.
func prepare(password string) string { return norm.NFC.String(password) }
