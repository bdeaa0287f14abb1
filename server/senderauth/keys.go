package senderauth

import (
	"context"
	"errors"
	"time"

	"facteur/server/address"
	"facteur/server/envelope"
	"facteur/server/message"
	"facteur/server/safefile"
)

// Keys are the DKIM keys of our domains, in a folder: one file a key,
// DOMAIN.SELECTOR.pem.
type Keys struct {
	dir string
	fs  safefile.FS
	now func() time.Time
}

// KeyState says what a key is for.
type KeyState string

// The states.
const (
	// KeyNew: the DNS does not have it yet. It signs only when there is no key of its
	// algorithm that the DNS has or had.
	KeyNew KeyState = "new"
	// KeyActive: it signs.
	KeyActive KeyState = "active"
	// KeyRetired: a newer one signs. The DNS keeps its record for what is on its way,
	// until the key is gone from Records.
	KeyRetired KeyState = "retired"
)

// KeyRecord is the DNS record of a key, and what is known of the key.
type KeyRecord struct {
	Name      string // "20261122-rsa._domainkey.example.org"
	Type      string // "TXT"
	Value     string // "v=DKIM1; k=rsa; p=..."
	Selector  string
	Algorithm string // "rsa" or "ed25519"
	State     KeyState
	Created   time.Time
	Retired   time.Time // zero unless retired
}

// OpenKeys reads the keys of a folder, which is made when it is not there.
func OpenKeys(dir string, fsys safefile.FS, now func() time.Time) (*Keys, error) {
	return &Keys{dir: dir, fs: fsys, now: now}, nil
}

// Sign returns the DKIM-Signature fields of domain, RSA and Ed25519, for a message as it
// leaves; they go on top of it. Keys are made on first use. h is the header of b.
func (k *Keys) Sign(domain address.Domain, h *message.Header, b envelope.Body) ([]byte, error) {
	return nil, errors.ErrUnsupported
}

// Seal returns the ARC set (RFC 8617 5.1) for a message that is passed on: it goes on
// top of it. r are the results for the message as it came, h and b the message as it
// leaves, which begins with what it had when it came. Nothing is returned, and no error,
// when the chain is one that must not be continued.
func (k *Keys) Seal(domain address.Domain, authserv string, r Results, h *message.Header, b envelope.Body) ([]byte, error) {
	return nil, errors.ErrUnsupported
}

// Records returns the DNS records that a domain must have, newest first. Keys are made
// when there are none.
func (k *Keys) Records(domain address.Domain) ([]KeyRecord, error) {
	return nil, errors.ErrUnsupported
}

// Rotate makes new keys for a domain. They sign as soon as Refresh has seen them in the
// DNS; until then the old ones do.
func (k *Keys) Rotate(domain address.Domain) ([]KeyRecord, error) {
	return nil, errors.ErrUnsupported
}

// Refresh looks which new keys the DNS has by now, puts them in use, and removes those
// that were retired long enough ago. It is called daily, and by whoever shows Records.
func (k *Keys) Refresh(ctx context.Context, r Resolver) error {
	return errors.ErrUnsupported
}
