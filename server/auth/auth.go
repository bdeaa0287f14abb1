// Package auth checks names and passwords for every protocol.
//
// A login is that of an account's password, or of one of its app passwords
// (devices). Slow hashes are paid for once: an accepted login is remembered
// under an HMAC of the account, its hash and the password, keyed by the process,
// so a changed hash or another password is never taken for it. The same login
// asked for by several at once is one verification. A failed login costs one
// verification, whether the account exists or not. Repeated failures are slowed
// (throttle.go).
//
// Who holds a Credential asks Valid at each command, and ends the session when
// the account, the app password or the hash is gone from mail.toml.
//
// An Authenticator may be used by any number of goroutines; its one lock is
// never held while a password is verified. It keeps nothing on disk, and knows
// of SASL what PLAIN and LOGIN say (sasl.go), not how a protocol wraps it.
package auth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"facteur/server/address"
	"facteur/server/directory"
	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/password"
)

// Options is what an Authenticator needs.
type Options struct {
	// Directory returns the newest one.
	Directory func() *directory.Directory
	// Trusted tells who is never slowed or blocked; loopback is not either. It
	// may be nil.
	Trusted func(netip.Addr) bool
	// Seen is told of each login to an account, good or not. It may be nil.
	Seen func(account address.Address, try Attempt, good bool)
	// Admit is asked about each login whose password is right, remembered ones too. What it
	// refuses is a wrong password for the client, in the time that one takes; but it is not
	// counted as a failed login, for it was none: other clients at the same address would be
	// slowed for it. Its error is for the log; one that may pass (a temporary fault) makes
	// the login fail for now. nil: all are admitted.
	Admit func(ctx context.Context, try Attempt, c Credential) error
	// Verify is that of a password.Verifier, which nil stands for.
	Verify func(ctx context.Context, hash, password string) (bool, error)
	Log    *slog.Logger     // nil: nothing is logged
	Now    func() time.Time // nil: time.Now
}

// Attempt is one try to log in.
type Attempt struct {
	Name     string // an address or a login name, as the client sent it
	Password string
	Remote   netip.Addr       // invalid on a Unix socket
	Protocol string           // for the log: "submission", "imap"
	Session  envelope.Session // what else is known of the client, for Admit
}

// String leaves name and password out: people type one for the other.
func (a Attempt) String() string {
	if !a.Remote.IsValid() {
		return a.Protocol + " from this machine"
	}
	return a.Protocol + " from " + a.Remote.String()
}

// Credential is a login that was accepted. It is comparable.
type Credential struct {
	Account address.Address // as mail.toml spells it
	Device  string          // the app password's name, "" for the account's password
	// proof is of the hash that the password matched.
	proof mark
}

// mark is an HMAC under the key of the process.
type mark [sha256.Size]byte

// Authenticator checks logins.
type Authenticator struct {
	options  Options
	key      [32]byte
	throttle *throttle

	mu       sync.Mutex
	accepted *memory
	flights  map[mark]*flight
}

// flight is a verification under way.
type flight struct {
	done chan struct{} // closed when ok and err are set
	ok   bool
	err  error
}

// New returns an Authenticator. A process needs one.
func New(o Options) *Authenticator {
	if o.Verify == nil {
		o.Verify = password.NewVerifier().Verify
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	a := &Authenticator{
		options:  o,
		throttle: newThrottle(o.Now),
		accepted: newMemory(maxAccepted),
		flights:  make(map[mark]*flight),
	}
	rand.Read(a.key[:]) // never fails (crypto/rand)
	return a
}

// sum returns the HMAC of parts, each with its length before it.
func (a *Authenticator) sum(parts ...string) mark {
	h := hmac.New(sha256.New, a.key[:])
	for _, p := range parts {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(p)))
		h.Write(length[:])
		h.Write([]byte(p))
	}
	return mark(h.Sum(nil))
}

// maxName bounds the name of an Attempt, in octets.
const maxName = 320

// Login checks an Attempt. Its error is a fault.Fault: AuthFailed for a wrong
// name or password and for a disabled account, TryLater after too many failures,
// Unavailable (454, RFC 4954 6) when it could not be checked.
func (a *Authenticator) Login(ctx context.Context, try Attempt) (Credential, error) {
	if len(try.Name) > maxName || len(try.Password) > password.MaxLength {
		return a.refuse(try, "name or password too long")
	}
	account, known := a.options.Directory().Login(try.Name)
	usable := known && !account.Disabled
	if usable {
		if device, ok := a.device(account, try.Password); ok {
			return a.accept(ctx, try, account, device.Name, string(device.Line))
		}
	}
	hash := string(account.Password)
	if !usable || hash == "" {
		usable, hash = false, a.decoy(try.Name)
	}
	ok, err := a.verify(ctx, try, account, hash)
	switch {
	case err != nil:
		return Credential{}, a.failed(try, err)
	case ok && usable:
		return a.accept(ctx, try, account, "", hash)
	case !known:
		return a.refuse(try, "no such account")
	case account.Disabled:
		return a.refuse(try, "the account is disabled")
	case account.Password == "":
		return a.refuse(try, "the account has no password")
	}
	return a.refuse(try, "wrong password")
}

// device returns the app password that was given.
func (a *Authenticator) device(account directory.Account, given string) (directory.Device, bool) {
	digits, ok := password.DeviceDigits(given)
	if !ok {
		return directory.Device{}, false
	}
	for _, d := range account.Devices {
		if password.MatchDevice(string(d.Line), digits) {
			return d, true
		}
	}
	return directory.Device{}, false
}

// noHash is a hash of a password that nobody knows.
const noHash = "$argon2id$v=19$m=19456,t=2,p=1$HSevOw65Y1j1gEVL9C6flA$vUX5oLB0SmSZvJEFbnRNuh7P6IuICpfs+OBrUoHNn2Y"

// decoy returns the hash to verify for a name that can't log in: that of an
// account which the name picks, always the same. So such names take as long as
// others do, whatever the schemes of the hashes are.
func (a *Authenticator) decoy(name string) string {
	accounts := a.options.Directory().Accounts()
	if len(accounts) > 0 {
		pick := a.sum("decoy", address.FoldLocal(name))
		n := binary.BigEndian.Uint64(pick[:8]) % uint64(len(accounts))
		if hash := string(accounts[n].Password); hash != "" {
			return hash
		}
	}
	return noHash
}

// verify tells whether hash is one of the password given: from memory, from the
// same verification under way, or by one of its own.
func (a *Authenticator) verify(ctx context.Context, try Attempt, account directory.Account, hash string) (bool, error) {
	id := a.sum("login", string(account.Address.Key()), hash, try.Password)
	if a.remembers(id) {
		return true, nil
	}
	if err := a.throttle.wait(ctx, a.throttled(try)); err != nil {
		return false, err
	}
	for {
		a.mu.Lock()
		if a.accepted.has(id) {
			a.mu.Unlock()
			return true, nil
		}
		f, underWay := a.flights[id]
		if !underWay {
			f = &flight{done: make(chan struct{})}
			a.flights[id] = f
		}
		a.mu.Unlock()
		if !underWay {
			a.fly(ctx, id, f, hash, try.Password)
			return f.ok, f.err
		}
		select {
		case <-f.done:
			if f.err == nil {
				return f.ok, nil
			} // the other one gave up; it is our turn
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

func (a *Authenticator) fly(ctx context.Context, id mark, f *flight, hash, given string) {
	defer func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.flights, id)
		close(f.done)
	}()
	f.ok, f.err = a.options.Verify(ctx, hash, given)
}

func (a *Authenticator) remembers(id mark) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.accepted.has(id)
}

// proof is of the hash that a login matched.
func (a *Authenticator) proof(account address.Address, device, hash string) mark {
	return a.sum("credential", string(account.Key()), device, hash)
}

// accept ends a good login, unless mail.toml has changed meanwhile.
func (a *Authenticator) accept(ctx context.Context, try Attempt, account directory.Account, device, hash string) (Credential, error) {
	c := Credential{Account: account.Address, Device: device, proof: a.proof(account.Address, device, hash)}
	if !a.Valid(c) {
		return a.refuse(try, "the account has changed")
	}
	if err := a.admit(ctx, try, c); err != nil {
		return Credential{}, err
	}
	if device == "" {
		a.mu.Lock()
		a.accepted.add(a.sum("login", string(account.Address.Key()), hash, try.Password))
		a.mu.Unlock()
	}
	a.throttle.succeeded(a.throttled(try))
	a.seen(try, true)
	a.options.Log.Info("auth.accepted", "account", account.Address.String(), "device", device, "attempt", try.String())
	return c, nil
}

// who is the name for the log: of an account, or an address in a domain of ours.
// Anything else may be a password that was typed into the wrong field.
func (a *Authenticator) who(try Attempt) string {
	if account, ok := a.options.Directory().Login(try.Name); ok {
		return account.Address.String()
	}
	if addr, err := address.Parse(try.Name); err == nil && a.options.Directory().IsLocal(addr.Domain) {
		return addr.String()
	}
	return ""
}

// seen tells of a login to an account.
func (a *Authenticator) seen(try Attempt, good bool) {
	if a.options.Seen == nil {
		return
	}
	if account, ok := a.options.Directory().Login(try.Name); ok {
		a.options.Seen(account.Address, try, good)
	}
}

func (a *Authenticator) refuse(try Attempt, why string) (Credential, error) {
	a.throttle.failed(a.throttled(try))
	a.seen(try, false)
	a.options.Log.Warn("auth.refused", "account", a.who(try), "why", why, "attempt", try.String())
	return Credential{}, fault.New(fault.AuthFailed, "")
}

// failed is for an Attempt that could not be checked.
func (a *Authenticator) failed(try Attempt, err error) error {
	a.options.Log.Warn("auth.failed", "account", a.who(try), "why", err.Error(), "attempt", try.String())
	f := fault.As(err)
	if f.Kind == fault.Internal {
		f = fault.Reply(fault.Unavailable, 454, "4.7.0", "Temporary authentication failure") // RFC 4954 6
		f.Cause = err
	}
	return f
}

// Valid tells whether a Credential still stands in the newest mail.toml: its
// account is there and not disabled, and has the hash or app password that was
// matched.
func (a *Authenticator) Valid(c Credential) bool {
	account, ok := a.options.Directory().Account(c.Account)
	if !ok || account.Disabled {
		return false
	}
	if c.Device == "" {
		return account.Password != "" && a.matches(c, account, string(account.Password))
	}
	for _, d := range account.Devices {
		if d.Name == c.Device {
			return a.matches(c, account, string(d.Line))
		}
	}
	return false
}

func (a *Authenticator) matches(c Credential, account directory.Account, hash string) bool {
	proof := a.proof(account.Address, c.Device, hash)
	return hmac.Equal(proof[:], c.proof[:])
}
