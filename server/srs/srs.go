// Package srs rewrites the reverse-path of a message that is sent on, by the Sender
// Rewriting Scheme, so that SPF holds at the next server (RFC 7208 4) and bounces find
// the way back:
//
//	SRS0=HASH=DAY=example.net=bob@example.org       for bob@example.net
//	SRS1=HASH=example.com==REST@example.org         for SRS0=REST@example.com of another forwarder
//	SRS0=HASH=DAY=ID@example.org                    where that would be over 64 octets (RFC 5321 4.5.3.1.1)
//
// HASH is 40 bits of an HMAC in base32, compared without case, for some servers change
// the case of a local-part. It covers the day in SRS1 too, though that does not hold it.
// So an address can't be made up, and ends after 21 days. The ID stands for an address
// that a Store keeps.
//
// The key is made when the first address is rewritten, and kept in a file. A Rewriter may
// be used by several at once; a lock guards the key while it is read or made.
//
// Who is forwarded, and when, is decided elsewhere.
package srs

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"facteur/server/address"
	"facteur/server/safefile"
)

// Valid is how long mail can come back to a rewritten address, in whole days.
const Valid = 21 * day

const (
	day      = 24 * time.Hour
	maxLocal = 64 // RFC 5321 4.5.3.1.1
	hashLen  = 8  // characters, of 5 bits
	idLen    = 16
	cycle    = 1024 // days that two characters tell apart
)

// Errors of Reverse.
var (
	ErrForged  = errors.New("the hash of the rewritten address is wrong")
	ErrExpired = errors.New("the rewritten address has expired")
)

// Store keeps the addresses that are too long to stand in a local-part.
type Store interface {
	// Keep makes an address durable, at least until a time. It may be kept already.
	Keep(ctx context.Context, id string, sender address.Address, until time.Time) error
	// Find returns it; ok is false when it is not there.
	Find(ctx context.Context, id string) (sender address.Address, ok bool, err error)
}

// Options are what a Rewriter works with.
type Options struct {
	Dir   string      // of the key
	FS    safefile.FS // nil: the real one
	Store Store       // nil: addresses that are too long are an error
	Now   func() time.Time
}

// Rewriter rewrites reverse-paths and takes bounces to them apart.
type Rewriter struct {
	opts Options

	mu  sync.Mutex
	key []byte // nil: not read yet
}

// New returns a Rewriter. It reads no file before the first use.
func New(o Options) *Rewriter {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.FS == nil {
		o.FS = safefile.OS
	}
	return &Rewriter{opts: o}
}

func isSeparator(c byte) bool { return c == '=' || c == '+' || c == '-' }

// Forward returns the reverse-path under which mail of sender is sent on by an address
// of a domain. The null reverse-path stays. An error is temporary: the key or the Store
// failed.
func (r *Rewriter) Forward(ctx context.Context, sender address.Address, by address.Domain) (address.Address, error) {
	if sender.IsZero() {
		return sender, nil
	}
	key, err := r.loadKey(true)
	if err != nil {
		return address.Address{}, fmt.Errorf("the key for rewritten addresses: %w", err)
	}
	today := dayOf(r.opts.Now())
	local := wrap(key, sender, today)
	if len(local) > maxLocal {
		if local, err = r.shorten(ctx, key, sender, today); err != nil {
			return address.Address{}, err
		}
	}
	return address.Address{Local: local, Domain: by}, nil
}

// wrap writes the local-part, however long.
func wrap(key []byte, sender address.Address, today int) string {
	if sender.IsSRS() {
		first, rest, ok := sender.Domain, sender.Local[4:], true
		if sender.Local[3] == '1' {
			first, rest, ok = splitSRS1(sender.Local)
		}
		if ok {
			return "SRS1=" + hash1(key, today, first, rest) + "=" + string(first) + "=" + rest
		}
	}
	rest := stamp(today) + "=" + string(sender.Domain) + "=" + sender.Local
	return "SRS0=" + hash0(key, rest) + "=" + rest
}

// shorten keeps the address and writes a local-part that stands for it.
func (r *Rewriter) shorten(ctx context.Context, key []byte, sender address.Address, today int) (string, error) {
	if r.opts.Store == nil {
		return "", fmt.Errorf("the address %s is too long to be rewritten", sender)
	}
	id := text(mac(key, "id", sender.String()), idLen)
	until := r.opts.Now().Add(Valid + 2*day)
	if err := r.opts.Store.Keep(ctx, id, sender, until); err != nil {
		return "", fmt.Errorf("keep the sender of what is forwarded: %w", err)
	}
	rest := stamp(today) + "=" + id
	return "SRS0=" + hash0(key, rest) + "=" + rest, nil
}

// Reverse returns the address that a was made of. It is ErrForged for what was not made
// here, ErrExpired for what was too long ago; any other error is temporary.
func (r *Rewriter) Reverse(ctx context.Context, a address.Address) (address.Address, error) {
	if !a.IsSRS() {
		return address.Address{}, ErrForged
	}
	key, err := r.loadKey(false)
	if err != nil {
		return address.Address{}, fmt.Errorf("the key for rewritten addresses: %w", err)
	}
	if key == nil { // none was ever made
		return address.Address{}, ErrForged
	}
	today := dayOf(r.opts.Now())
	hash, rest, ok := strings.Cut(a.Local[5:], "=")
	switch {
	case !ok:
		return address.Address{}, ErrForged
	case a.Local[3] == '1':
		return reverse1(key, today, hash, a.Local)
	default:
		return r.reverse0(ctx, key, today, hash, rest)
	}
}

func (r *Rewriter) reverse0(ctx context.Context, key []byte, today int, hash, rest string) (address.Address, error) {
	if !same(hash, hash0(key, rest)) {
		return address.Address{}, ErrForged
	}
	made, rest, ok := strings.Cut(rest, "=")
	if !ok {
		return address.Address{}, ErrForged
	}
	if !fresh(made, today) {
		return address.Address{}, ErrExpired
	}
	domain, local, long := strings.Cut(rest, "=")
	if long {
		return join(local, domain)
	}
	if r.opts.Store == nil {
		return address.Address{}, ErrExpired
	}
	sender, ok, err := r.opts.Store.Find(ctx, strings.ToUpper(rest))
	if err == nil && !ok {
		err = ErrExpired
	}
	return sender, err
}

func reverse1(key []byte, today int, hash, local string) (address.Address, error) {
	first, rest, ok := splitSRS1(local)
	if !ok {
		return address.Address{}, ErrForged
	}
	// SRS1 does not say when it was made: all days count on which it may have been.
	for made := today - int(Valid/day); made <= today+1; made++ {
		if same(hash, hash1(key, made, first, rest)) {
			return join("SRS0"+rest, string(first))
		}
	}
	return address.Address{}, ErrForged
}

// splitSRS1 takes "SRS1=HASH=first==REST" apart; rest has the separator in front.
func splitSRS1(local string) (first address.Domain, rest string, ok bool) {
	_, tail, ok := strings.Cut(local[5:], "=")
	if !ok {
		return "", "", false
	}
	name, rest, ok := strings.Cut(tail, "=")
	if !ok || rest == "" || !isSeparator(rest[0]) {
		return "", "", false
	}
	first, err := address.ParseDomain(name)
	return first, rest, err == nil
}

// join makes an address of what stood in a local-part: the hash vouches for it, but not
// for its case.
func join(local, domain string) (address.Address, error) {
	d, err := address.ParseDomain(domain)
	if err != nil || local == "" {
		return address.Address{}, ErrForged
	}
	return address.Address{Local: local, Domain: d}, nil
}

// dayOf returns the number of the day.
func dayOf(t time.Time) int { return int(t.Unix() / int64(day/time.Second)) }

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"

// stamp writes a day in two characters.
func stamp(n int) string {
	n %= cycle
	return string([]byte{alphabet[n>>5], alphabet[n&31]})
}

// fresh tells whether a stamp is of one of the days that count. The clock may have been
// put back by one.
func fresh(made string, today int) bool {
	if len(made) != 2 {
		return false
	}
	made = strings.ToUpper(made)
	hi, lo := strings.IndexByte(alphabet, made[0]), strings.IndexByte(alphabet, made[1])
	if hi < 0 || lo < 0 {
		return false
	}
	age := (today - hi<<5 - lo + 1) % cycle // of yesterday's clock
	if age < 0 {
		age += cycle
	}
	return age <= int(Valid/day)+1
}

func hash0(key []byte, rest string) string { return text(mac(key, "SRS0", rest), hashLen) }

func hash1(key []byte, made int, first address.Domain, rest string) string {
	return text(mac(key, "SRS1", fmt.Sprint(made), string(first), rest), hashLen)
}

// mac authenticates some texts, without their case.
func mac(key []byte, parts ...string) []byte {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		p = address.FoldLocal(p)
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return h.Sum(nil)
}

func text(sum []byte, n int) string { return base32.StdEncoding.EncodeToString(sum)[:n] }

// same compares without case, and in constant time.
func same(a, b string) bool { return hmac.Equal([]byte(strings.ToUpper(a)), []byte(b)) }
